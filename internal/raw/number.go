package raw

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
)

// Compare compares two numbers in JSON by what they mean, exactly: 1.0 is 1,
// and 9007199254740993 is more than 9007199254740992. ok is false if one of
// them is no number.
func Compare(a, b []byte) (order int, ok bool) {
	x, okA := decimalOf(a)
	y, okB := decimalOf(b)
	return x.compare(&y), okA && okB
}

// IsNumber reports whether value is a number in JSON.
func IsNumber(value []byte) bool {
	_, ok := decimalOf(value)
	return ok
}

// decimal is a number: 0.D₁D₂D₃… · 10^exp, with D₁ and the last one not 0. Zero
// has no digits.
type decimal struct {
	negative     bool
	whole, parts []byte // the digits, before and behind the point
	exp          int64
}

// decimalOf reads a number.
func decimalOf(b []byte) (d decimal, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		d.negative, b = true, b[1:]
	}
	d.whole, b = digits(b)
	if len(d.whole) == 0 || len(d.whole) > 1 && d.whole[0] == '0' {
		return d, false
	}
	d.exp = int64(len(d.whole))
	if len(b) > 0 && b[0] == '.' {
		if d.parts, b = digits(b[1:]); len(d.parts) == 0 {
			return d, false
		}
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		e, rest, ok := exponent(b[1:])
		if !ok {
			return d, false
		}
		d.exp, b = d.exp+e, rest
	}
	d.trim()
	return d, len(b) == 0
}

// exponent reads what stands behind the e. One that no int32 holds is as large
// as that: such numbers are told from others, not from each other.
func exponent(b []byte) (e int64, rest []byte, ok bool) {
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative, b = b[0] == '-', b[1:]
	}
	all, rest := digits(b)
	if len(all) == 0 {
		return 0, rest, false
	}
	e, err := strconv.ParseInt(string(bytes.TrimLeft(all, "0")), 10, 32)
	if err != nil && len(bytes.TrimLeft(all, "0")) > 0 {
		e = math.MaxInt32
	}
	if negative {
		e = -e
	}
	return e, rest, true
}

func digits(b []byte) (digits, rest []byte) {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return b[:n], b[n:]
}

// trim takes zeros away from both ends.
func (d *decimal) trim() {
	if len(d.whole) == 1 && d.whole[0] == '0' {
		n := len(d.parts)
		d.parts = bytes.TrimLeft(d.parts, "0")
		d.whole, d.exp = nil, d.exp-1-int64(n-len(d.parts))
	}
	d.parts = bytes.TrimRight(d.parts, "0")
	if len(d.parts) == 0 {
		d.whole = bytes.TrimRight(d.whole, "0")
	}
	if len(d.whole) == 0 && len(d.parts) == 0 {
		*d = decimal{}
	}
}

func (d *decimal) len() int { return len(d.whole) + len(d.parts) }

func (d *decimal) digit(i int) byte {
	switch {
	case i < len(d.whole):
		return d.whole[i]
	case i < d.len():
		return d.parts[i-len(d.whole)]
	}
	return '0'
}

func (d *decimal) sign() int {
	switch {
	case d.len() == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d *decimal) compare(o *decimal) int {
	if s := d.sign(); s != o.sign() || s == 0 {
		return cmp.Compare(s, o.sign())
	}
	order := cmp.Compare(d.exp, o.exp)
	for i := 0; order == 0 && i < max(d.len(), o.len()); i++ {
		order = cmp.Compare(d.digit(i), o.digit(i))
	}
	return order * d.sign()
}
