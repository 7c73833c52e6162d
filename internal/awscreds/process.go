package awscreds

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// process gives the credentials that a command prints. It has no standard
// input, which may be the data of a pipeline.
func process(command string) *processcreds.Provider {
	return processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		args, err := words(command)
		if err != nil || len(args) == 0 {
			return nil, errors.Join(errors.New("no command"), err)
		}
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.WaitDelay = time.Second // children of its own may hold its output open
		return cmd, nil
	}))
}

// words splits a command at blanks outside of quotes, as AWS tools do: 'as it
// is', "with \" and \\", and a backslash before any other character.
func words(command string) (list []string, err error) {
	var word strings.Builder
	inWord, quote, escaped := false, byte(0), false
	for _, b := range []byte(command) {
		switch {
		case escaped:
			if quote == '"' && b != '"' && b != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(b)
			escaped = false
		case b == '\\' && quote != '\'':
			escaped, inWord = true, true
		case b == quote:
			quote = 0
		case quote == 0 && (b == '\'' || b == '"'):
			quote, inWord = b, true
		case quote == 0 && bytes.IndexByte([]byte(" \t\r\n"), b) >= 0:
			if inWord {
				list = append(list, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteByte(b)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote of the command is not closed, or it ends with a backslash")
	}
	if inWord {
		list = append(list, word.String())
	}
	return list, nil
}
