package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/test/servers"
)

var update = flag.Bool("update", false, "write what was got into the scripts, where cmp differs")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main})
}

// The scripts in testdata drive the real command: this test binary, under the
// name sluice. Beside the commands of testscript there are
//
//	exits N PROGRAM [ARG...]         runs it and wants exit status N
//	until PATTERN PROGRAM [ARG...]   runs it again until its standard output matches
//	post PATH [HEADER=VALUE...]      posts to it, and shows the answer
//	get PATH [PATTERN]               gets it from 127.0.0.1:$PORT, as soon as somebody listens, and it matches
//	terminate                        sends SIGTERM to what runs in the background
//	hangup                           sends SIGHUP to what runs in the background
//	repeat TEXT N FILE               writes TEXT N times and a newline to FILE
//	search METHOD PATH [BODY]        asks $OPENSEARCH
//	s3 METHOD PATH [BODY]            asks $S3, as its owner
//	s3user NAME                      makes a user of $S3 with the secret of its owner, who may do nothing
//	refuse PATTERN                   lets $PROXY stand before $OPENSEARCH and refuse what matches, as METHOD PATH
//
// Servers are there where the condition [opensearch], [s3] or [versitygw] holds.
// Indices and buckets that begin with $UNIQUE are deleted at the end.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			ports, err := servers.FreePorts(1)
			if err != nil {
				return err
			}
			e.Setenv("PORT", strconv.Itoa(ports[0]))
			e.Setenv("NO_COLOR", "1")
			return offer(e)
		},
		Condition: offered,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     command(2, exits),
			"until":     command(2, until),
			"get":       command(1, get),
			"post":      command(1, post),
			"terminate": command(0, terminate),
			"repeat":    command(3, repeat),
			"hangup":    command(0, hangup),
			"search":    command(2, askSearch),
			"s3":        command(2, askStore),
			"s3user":    command(1, makeUser),
			"refuse":    command(1, refuse),
		},
	})
}

// command is a command of the scripts that takes at least n arguments, and no !.
func command(n int, run func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < n {
			ts.Fatalf("wants no ! and at least %d arguments", n)
		}
		run(ts, args)
	}
}

func exits(ts *testscript.TestScript, args []string) {
	status, err := 0, ts.Exec(args[1], args[2:]...)
	if e := new(exec.ExitError); errors.As(err, &e) {
		status, err = e.ExitCode(), nil
	}
	ts.Check(err)
	if got, want := strconv.Itoa(status), args[0]; got != want {
		ts.Fatalf("got exit status %s, want %s", got, want)
	}
}

func until(ts *testscript.TestScript, args []string) {
	re := regexp.MustCompile("(?m)" + args[0])
	try(ts, func() error {
		if err := ts.Exec(args[1], args[2:]...); err != nil || re.MatchString(ts.ReadFile("stdout")) {
			return err
		}
		return fmt.Errorf("no match for %s", args[0])
	})
}

func get(ts *testscript.TestScript, args []string) {
	re := regexp.MustCompile("(?m)" + strings.Join(args[1:], ""))
	try(ts, func() error {
		resp, err := http.Get("http://127.0.0.1:" + ts.Getenv("PORT") + args[0])
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !re.Match(body) {
			err = fmt.Errorf("no match for %s", re)
		}
		if err == nil {
			fmt.Fprintf(ts.Stdout(), "%s\n%s", resp.Status, body)
		}
		return err
	})
}

func post(ts *testscript.TestScript, args []string) {
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+ts.Getenv("PORT")+args[0], nil)
	ts.Check(err)
	for _, header := range args[1:] {
		name, value, _ := strings.Cut(header, "=")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s", resp.Status, body)
}

// try does what others need time for.
func try(ts *testscript.TestScript, f func() error) {
	err := f()
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); err = f() {
		time.Sleep(50 * time.Millisecond)
	}
	ts.Check(err)
}

func terminate(ts *testscript.TestScript, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

func hangup(ts *testscript.TestScript, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGHUP))
	}
}

func repeat(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Repeat(args[0], n)+"\n"), 0o666))
}
