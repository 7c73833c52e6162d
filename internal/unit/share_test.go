package unit_test

import (
	"testing"

	"sluice/internal/unit"
)

func TestAShareIsANumberOrAPercentage(t *testing.T) {
	for text, want := range map[string][2]int64{ // of 10, of 999
		"0": {0, 0}, "7": {7, 7}, "20%": {2, 199}, " 12.5 % ": {1, 124}, "100%": {10, 999}, "0%": {0, 0}, "29%": {2, 289},
	} {
		var s unit.Share
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := [2]int64{s.Of(10), s.Of(999)}; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		var again unit.Share
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q: read again as %v, %v", s, again, err)
		}
	}
	for _, text := range []string{"", "%", "-1", "-1%", "101%", "NaN%", "x", "1.5", "20 percent"} {
		var s unit.Share
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, s)
		}
	}
}
