package awscreds

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"sluice/internal/unit"
)

// most is the size of the largest file that is looked at, in bytes.
const most = 1 << 20

// watched are the files whose change means that there are other credentials.
// Tokens that are exchanged for credentials are not among them: they are read
// whenever that is done.
func (c Config) watched() (paths []string) {
	if c.AccessKey != "" {
		return c.files.list()
	}
	env, err := config.NewEnvConfig()
	switch {
	case err != nil, c.Process != "":
		return nil
	case c.Profile == "" && (env.Credentials.HasKeys() || env.WebIdentityTokenFilePath != ""):
		return nil
	}
	return []string{
		cmp.Or(env.SharedCredentialsFile, config.DefaultSharedCredentialsFilename()),
		cmp.Or(env.SharedConfigFile, config.DefaultSharedConfigFilename()),
	}
}

func (f files) list() (paths []string) {
	for _, path := range []string{f.accessKey, f.secretKey, f.sessionToken} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// print is what files hold, in short.
type print [sha256.Size]byte

// look takes the print of files. It reads all of them: a file that is mounted
// can change without its time or its size.
func look(paths []string) (p print) {
	h := sha256.New()
	for _, path := range paths {
		text, err := readFile(path)
		fmt.Fprintf(h, "%t %d %s", err == nil, len(text), text)
	}
	h.Sum(p[:0])
	return p
}

// reread gives the options as their files hold them now. What is no regular
// file could be read only once, when the configuration was.
func (c Config) reread() (Config, error) {
	for _, f := range []struct {
		path string
		to   *unit.Secret
	}{{c.files.accessKey, &c.AccessKey}, {c.files.secretKey, &c.SecretKey}, {c.files.sessionToken, &c.SessionToken}} {
		if f.path == "" {
			continue
		}
		text, err := readFile(f.path)
		if err == errIrregular {
			continue
		}
		if err != nil {
			return c, err
		}
		if err := f.to.UnmarshalText([]byte(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"))); err != nil {
			return c, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return c, nil
}

// errIrregular is that of pipes and devices.
var errIrregular = fmt.Errorf("not a regular file")

func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errIrregular
	}
	if info.Size() > most {
		return "", fmt.Errorf("%s: too large to be what it should be", path)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}
