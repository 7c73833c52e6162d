package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Share is a limit: a number, or a percentage of a whole. Text: 500 or 20%.
// Percentages are below zero: -1 is 0%, and each less is 0.001% more.
type Share int64

// thousandths of a percent
const thousandths = 1000

// Percent is a share of a whole, from 0 to 100.
func Percent(p float64) Share { return -1 - Share(math.Round(p*thousandths)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Share) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	if p, ok := strings.CutSuffix(t, "%"); ok {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return fmt.Errorf("%q is not a percentage from 0%% to 100%%", text)
		}
		*s = Percent(v)
		return nil
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is neither a number nor a percentage; write it as 500 or 20%%", text)
	}
	*s = Share(n)
	return nil
}

// Of is how many of a whole the share allows: never more than the percentage.
func (s Share) Of(whole int64) int64 {
	if s >= 0 {
		return int64(s)
	}
	part := int64(-1 - s)
	return whole/(100*thousandths)*part + whole%(100*thousandths)*part/(100*thousandths)
}

// String gives the text.
func (s Share) String() string {
	if s >= 0 {
		return strconv.FormatInt(int64(s), 10)
	}
	return strconv.FormatFloat(float64(-1-s)/thousandths, 'f', -1, 64) + "%"
}

// MarshalText implements encoding.TextMarshaler.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
