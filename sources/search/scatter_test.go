package search_test

import (
	"testing"

	"sluice/sources/search"
)

func TestDocumentsOfOneIDAreInSeveralLanesOnlyWhereIndicesAreMerged(t *testing.T) {
	for _, c := range []struct {
		index        []string
		merged, want bool
	}{
		{[]string{"logs"}, true, false}, {[]string{"logs"}, false, false}, {[]string{"logs-*"}, false, false},
		{[]string{"logs-*"}, true, true}, {[]string{"a,b"}, true, true}, {[]string{"a", "b"}, true, true}, {nil, true, false},
	} {
		if got := (&search.Config{Index: c.index}).Scatters(c.merged); got != c.want {
			t.Errorf("%q, merged %v: %v, want %v", c.index, c.merged, got, c.want)
		}
	}
}
