package awscreds_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/awscreds"
	"sluice/internal/unit"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// timed makes a provider and a service on one clock.
func timed(t *testing.T, name string) (*awscreds.Provider, *amazon, *clock) {
	t.Helper()
	home, a := alone(t), newAmazon(t)
	c := &clock{at: time.Now()}
	a.now = c.now
	p := provider(t, ways[name](t, a, home))
	awscreds.SetClock(p, c.now)
	return p, a, c
}

func TestCredentialsAreRenewedAheadOfTheirEnd(t *testing.T) {
	for _, name := range []string{"machine", "container", "web identity", "single sign-on", "role"} {
		t.Run(name, func(t *testing.T) {
			p, _, c := timed(t, name)
			for _, step := range []struct {
				after time.Duration
				want  string
			}{{0, "key1"}, {54 * time.Minute, "key1"}, {2 * time.Minute, "key2"}, {time.Minute, "key2"}, {2 * time.Hour, "key3"}} {
				if c.pass(step.after); key(t, p) != step.want {
					t.Errorf("%s later: got %s, want %s", step.after, key(t, p), step.want)
				}
			}
		})
	}
}

func TestValidCredentialsAreUsedWhileTheyCannotBeRenewed(t *testing.T) {
	p, a, c := timed(t, "web identity")
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	if got := key(t, p); got != "key1" {
		t.Fatal(got)
	}
	a.set(func() { a.denied = "AccessDenied" })
	c.pass(56 * time.Minute)
	for range 10 {
		if creds, err := p.Retrieve(t.Context()); creds.AccessKeyID != "key1" || err != nil {
			t.Errorf("got %v, %v, want key1", creds.AccessKeyID, err)
		}
	}
	if n := strings.Count(log.String(), "cannot be renewed"); n != 1 || !strings.Contains(log.String(), "AccessDenied") {
		t.Errorf("got %d lines: %s, want one that says why", n, &log)
	}
	if len(a.asked) != 2 {
		t.Errorf("got %d requests, want one for each half minute", len(a.asked))
	}
	c.pass(5 * time.Minute) // over
	if got := key(t, p); !strings.Contains(got, "AccessDenied") {
		t.Errorf("got %s, want the error", got)
	}
	a.set(func() { a.denied = "" })
	if got := key(t, p); got != "key2" {
		t.Errorf("got %s, want key2", got)
	}
}

func TestOneLooksForCredentialsAndTheOthersGoOn(t *testing.T) {
	p, a, c := timed(t, "container")
	var many errgroup.Group
	for range 64 {
		many.Go(func() error { key(t, p); return nil })
	}
	many.Wait()
	if len(a.asked) != 1 {
		t.Fatalf("got %d requests, want one for all", len(a.asked))
	}
	<-a.asked
	c.pass(57 * time.Minute)
	hold := make(chan struct{})
	a.set(func() { a.hold = hold })
	many.Go(func() error {
		if got := key(t, p); got != "key2" {
			t.Errorf("got %s, want key2 for who renews", got)
		}
		return nil
	})
	<-a.asked
	for range 3 {
		if got := key(t, p); got != "key1" {
			t.Errorf("got %s, want key1, which is valid", got)
		}
	}
	close(hold)
	many.Wait()
	if got := key(t, p); got != "key2" {
		t.Errorf("got %s, want key2", got)
	}
}

func TestWhoWaitsForCredentialsCanLeave(t *testing.T) {
	p, a, _ := timed(t, "container")
	hold := make(chan struct{})
	a.set(func() { a.hold = hold })
	var first errgroup.Group
	first.Go(func() error { key(t, p); return nil })
	<-a.asked
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := p.Retrieve(ctx); err != why {
		t.Errorf("got %v, want the cause of the end", err)
	}
	close(hold)
	first.Wait()
}

func TestRefusedCredentialsAreFetchedAnewOnce(t *testing.T) {
	p, _, c := timed(t, "role")
	key(t, p)
	for _, code := range []string{"ExpiredToken", "InvalidAccessKeyId", "InvalidToken"} { // of requests that were on their way
		if !p.Refused(code) {
			t.Errorf("%s: got false, want it worth another request", code)
		}
		if got := key(t, p); got != "key2" {
			t.Errorf("got %s, want key2 for all", got)
		}
	}
	for _, code := range []string{"AccessDenied", "SignatureDoesNotMatch", "NoSuchKey", ""} {
		if p.Refused(code) {
			t.Errorf("%s: got true, want no other credentials for it", code)
		}
	}
	c.pass(6 * time.Second)
	p.Invalidate()
	if got := key(t, p); got != "key3" {
		t.Errorf("got %s, want key3", got)
	}
}

func TestRefusedCredentialsAreNotUsedAgain(t *testing.T) {
	p, a, _ := timed(t, "role")
	key(t, p)
	p.Invalidate()
	a.set(func() { a.denied = "AccessDenied" })
	if got := key(t, p); !strings.Contains(got, "AccessDenied") {
		t.Errorf("got %s, want the error, though they have not expired", got)
	}
}

// mounted is keys in files, as they are in the configuration.
func mounted(t *testing.T) (p *awscreds.Provider, dir string, at *clock) {
	t.Helper()
	alone(t)
	dir = t.TempDir()
	c := awscreds.Config{AccessKey: "key1", SecretKey: "secret1"}
	c.FromFile("access_key", write(t, filepath.Join(dir, "access"), "key1\n"))
	c.FromFile("secret_key", write(t, filepath.Join(dir, "secret"), "secret1\n"))
	at = &clock{at: time.Now()}
	p = provider(t, c)
	awscreds.SetClock(p, at.now)
	return p, dir, at
}

// pair is both keys.
func pair(t *testing.T, p *awscreds.Provider) string {
	t.Helper()
	creds, err := p.Retrieve(t.Context())
	if err != nil {
		return err.Error()
	}
	return creds.AccessKeyID + "/" + creds.SecretAccessKey
}

func TestRotationOfAMountedFileIsNoticed(t *testing.T) {
	p, dir, at := mounted(t)
	expect := func(after time.Duration, want string) {
		t.Helper()
		at.pass(after)
		if got := pair(t, p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	expect(0, "key1/secret1")
	write(t, filepath.Join(dir, "access"), "key2\n")
	expect(time.Second, "key1/secret1") // not looked at each time
	expect(5*time.Second, "key1/secret1")
	write(t, filepath.Join(dir, "secret"), "secret2\n") // one file after the other
	expect(5*time.Second, "key1/secret1")
	expect(5*time.Second, "key2/secret2")
	expect(time.Hour, "key2/secret2")
	os.Remove(filepath.Join(dir, "secret"))
	expect(5*time.Second, "key2/secret2")
	expect(5*time.Second, "key2/secret2") // nothing better is there
	write(t, filepath.Join(dir, "access"), "key3")
	write(t, filepath.Join(dir, "secret"), "secret3")
	expect(time.Minute, "key2/secret2")
	expect(time.Minute, "key3/secret3")
}

func TestRotationIsNoticedAtOnceWhenKeysAreRefused(t *testing.T) {
	p, dir, at := mounted(t)
	pair(t, p)
	for n, code := range []string{"SignatureDoesNotMatch", "", "AccessDenied"} { // a reply to HEAD has no code
		if p.Refused(code) {
			t.Error("got true, want no other keys while the files hold the same")
		}
		at.pass(time.Minute)
		fresh := fmt.Sprint("secret", n+2)
		write(t, filepath.Join(dir, "secret"), fresh+"\n")
		if !p.Refused(code) {
			t.Error("got false, want the new secret tried")
		}
		if got := pair(t, p); got != "key1/"+fresh {
			t.Errorf("got %s, want %s", got, fresh)
		}
	}
	write(t, filepath.Join(dir, "access"), "")
	p, _, _ = mounted(t)
	p.Invalidate()
	if got := pair(t, p); got != "key1/secret1" {
		t.Errorf("got %s, want the files read", got)
	}
}

func TestFilesThatAreGoneAreNamed(t *testing.T) {
	p, dir, _ := mounted(t)
	os.Remove(filepath.Join(dir, "access"))
	if got := pair(t, p); !strings.Contains(got, dir) || !strings.Contains(got, "files of access_key") {
		t.Errorf("got %s, want the file named", got)
	}
}

func TestAPipeIsReadOnlyOnce(t *testing.T) {
	alone(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	c := awscreds.Config{AccessKey: "key1", SecretKey: "secret1", SessionToken: unit.Secret("token1")}
	c.FromFile("secret_key", pipe)
	c.FromFile("session_token", write(t, filepath.Join(t.TempDir(), "token"), "token2"))
	creds, err := provider(t, c).Retrieve(t.Context())
	if creds.SecretAccessKey != "secret1" || creds.SessionToken != "token2" || err != nil {
		t.Errorf("got %v, %v, want what the configuration has read", creds, err)
	}
}

func TestRotationOfTheSharedFileIsNoticed(t *testing.T) {
	home := alone(t)
	shared := "[default]\naws_access_key_id = key1\naws_secret_access_key = secret1\n"
	write(t, filepath.Join(home, "credentials"), shared)
	at := &clock{at: time.Now()}
	p := provider(t, awscreds.Config{})
	awscreds.SetClock(p, at.now)
	if got := pair(t, p); got != "key1/secret1" {
		t.Fatal(got)
	}
	write(t, filepath.Join(home, "credentials"), strings.ReplaceAll(shared, "1", "2"))
	for _, want := range []string{"key1/secret1", "key2/secret2"} {
		if at.pass(5 * time.Second); pair(t, p) != want {
			t.Errorf("got %s, want %s", pair(t, p), want)
		}
	}
	write(t, filepath.Join(home, "credentials"), strings.ReplaceAll(shared, "1", "3"))
	p.Invalidate()
	if got := pair(t, p); got != "key3/secret3" {
		t.Errorf("got %s, want what is there now", got)
	}
}

func TestTokensThatAreExchangedAreReadEachTime(t *testing.T) {
	for _, name := range []string{"web identity", "web identity of a profile", "container"} {
		p, a, c := timed(t, name)
		key(t, p)
		a.set(func() { a.token = "another" })
		write(t, filepath.Join(os.Getenv("HOME"), "token"), "another")
		if c.pass(57 * time.Minute); key(t, p) != "key2" {
			t.Errorf("%s: got %s, want key2 for the new token", name, key(t, p))
		}
	}
}

func TestCommandsAreSplitAsAWSToolsDo(t *testing.T) {
	for command, want := range map[string]string{
		"a b  c":              "a|b|c",
		" \ta\n":              "a",
		`a 'b c' "d \" e"`:    `a|b c|d " e`,
		`a\ b "\n" '\'`:       `a b|\n|\`,
		`C:'\'x"" '' "a"'b'c`: `C:\x||abc`,
		"":                    "",
	} {
		if got, err := awscreds.Words(command); strings.Join(got, "|") != want || err != nil {
			t.Errorf("%s: got %q, %v, want %s", command, got, err, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`a 'b c' "d \" e" \`)
	f.Fuzz(func(t *testing.T, command string) {
		list, err := awscreds.Words(command)
		if err != nil {
			return
		}
		quoted := ""
		for _, w := range list {
			quoted += " '" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := awscreds.Words(quoted)
		if err != nil || strings.Join(again, "\x00") != strings.Join(list, "\x00") {
			t.Errorf("%q: got %q, %v, want %q again", command, again, err, list)
		}
	})
}
