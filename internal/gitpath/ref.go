package gitpath

import (
	"errors"
	"fmt"
	"strings"
)

// Ref says why git cannot have a ref of this name, which is a full one, such as
// refs/heads/main.
func Ref(name string) error {
	switch {
	case !strings.HasPrefix(name, "refs/"):
		return fmt.Errorf("%q does not begin with refs/", name)
	case strings.ContainsFunc(name, control), strings.ContainsAny(name, ` ~^:?*[\`):
		return fmt.Errorf(`%q has a control character, a blank or one of ~^:?*[\`, name)
	case strings.Contains(name, ".."), strings.Contains(name, "@{"):
		return fmt.Errorf("%q has .. or @{ in it", name)
	case strings.HasSuffix(name, "."):
		return fmt.Errorf("%q ends in a dot", name)
	}
	for s := range strings.SplitSeq(name, "/") {
		if err := refComponent(s); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

func refComponent(s string) error {
	switch {
	case s == "":
		return errors.New("a component of it is empty")
	case s[0] == '.', s[0] == '-':
		return fmt.Errorf("a component of it begins with %c", s[0])
	case strings.HasSuffix(s, ".lock"):
		return errors.New("a component of it ends in .lock")
	}
	return nil
}
