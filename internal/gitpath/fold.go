package gitpath

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// canonical is the same for names that systems which tell neither cases nor
// Unicode forms apart take for one.
func canonical(name string) string { return norm.NFC.String(fold(norm.NFC.String(name))) }

// fold makes all cases of a letter one, as simple folding does: of those that
// are one, the least. It is upper case for ASCII.
func fold(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || c >= 'a' && c <= 'z' {
			return foldAll(name)
		}
	}
	return name
}

func foldAll(name string) string {
	b := make([]rune, 0, len(name))
	for _, r := range name {
		b = append(b, least(r))
	}
	return string(b)
}

func least(r rune) rune {
	if r < 0x80 {
		return unicode.ToUpper(r)
	}
	min := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f < min {
			min = f
		}
	}
	return min
}
