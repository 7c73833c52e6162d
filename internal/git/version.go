package git

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

const (
	program = "git"
	oldest  = "2.36" // that is known to do what is needed here
)

var versionText = regexp.MustCompile(`^git version (\d+)\.(\d+)`)

// Version gives the version of the git program, such as "git version 2.39.5";
// an error if there is none, or it is too old.
func (r *Remote) Version(ctx context.Context) (string, error) {
	out, err := r.run(ctx, call{args: []string{"version"}})
	if err != nil {
		return "", err
	}
	return suits(string(out))
}

// suits checks what git says of its version.
func suits(text string) (string, error) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s is not git: its version is %.80q; version %s or later is needed", program, text, oldest)
	}
	major, _ := strconv.Atoi(m[1]) // digits; what is too large for an int is recent enough
	minor, _ := strconv.Atoi(m[2])
	if major < 2 || major == 2 && minor < 36 {
		return "", fmt.Errorf("git %s.%s is too old: %s or later is needed", m[1], m[2], oldest)
	}
	return m[0], nil
}
