package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"

	"sluice/test/servers"
)

const (
	searchAt = "SLUICE_TEST_OPENSEARCH"
	storeAt  = "SLUICE_TEST_S3"
)

// offered says whether servers are there; where they are required, they are.
func offered(name string) (bool, error) {
	at := map[string]string{"opensearch": searchAt, "s3": storeAt, "versitygw": storeAt}[name]
	if at == "" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	url := os.Getenv(at)
	if name == "versitygw" && strings.Contains(url, "=") {
		return false, nil
	}
	return url != "" || os.Getenv("SLUICE_REQUIRE_SERVERS") != "", nil
}

// offer tells a script of the servers.
func offer(e *testscript.Env) error {
	e.Setenv("UNIQUE", "sluice-script-"+strings.ToLower(rand.Text()[:10]))
	e.Setenv("OPENSEARCH", os.Getenv(searchAt))
	text := os.Getenv(storeAt)
	if text == "" {
		return nil
	}
	s, err := servers.StoreAt(text)
	e.Setenv("S3", s.Endpoint)
	e.Setenv("S3_ACCESS", s.AccessKey)
	e.Setenv("S3_SECRET", s.SecretKey)
	e.Values[storeAt] = s
	return err
}

func body(args []string) string { return strings.Join(args[2:], " ") }

func askSearch(ts *testscript.TestScript, args []string) {
	if index := strings.SplitN(args[1], "/", 3)[1]; strings.HasPrefix(index, ts.Getenv("UNIQUE")) {
		ts.Defer(func() {
			send(must(http.NewRequest(http.MethodDelete, ts.Getenv("OPENSEARCH")+"/"+index, nil)))
		})
	}
	req := must(http.NewRequest(args[0], ts.Getenv("OPENSEARCH")+args[1], strings.NewReader(strings.ReplaceAll(body(args), `\n`, "\n"))))
	req.Header.Set("Content-Type", "application/json")
	text, err := send(req)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), text)
}

func askStore(ts *testscript.TestScript, args []string) {
	if name := strings.Trim(args[1], "/"); args[0] == http.MethodPut && name == ts.Getenv("UNIQUE") {
		ts.Defer(func() { empty(ts, name) })
	}
	text, err := store(ts, args[0], args[1], body(args))
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), text)
}

func makeUser(ts *testscript.TestScript, args []string) {
	account := fmt.Sprintf("<Account><Access>%s</Access><Secret>%s</Secret><Role>user</Role></Account>", args[0], ts.Getenv("S3_SECRET"))
	_, err := store(ts, http.MethodPatch, "/create-user", account)
	ts.Check(err)
	ts.Defer(func() { store(ts, http.MethodPatch, "/delete-user?access="+args[0], "") })
}

// empty deletes a bucket and what is in it.
func empty(ts *testscript.TestScript, bucket string) {
	text, _ := store(ts, http.MethodGet, "/"+bucket+"?list-type=2", "")
	for _, m := range regexp.MustCompile("<Key>([^<]*)").FindAllStringSubmatch(text, -1) {
		store(ts, http.MethodDelete, "/"+bucket+"/"+m[1], "")
	}
	store(ts, http.MethodDelete, "/"+bucket, "")
}

// store asks the store as its owner.
func store(ts *testscript.TestScript, method, path, text string) (string, error) {
	s := ts.Value(storeAt).(servers.Store)
	req := must(http.NewRequest(method, s.Endpoint+path, strings.NewReader(text)))
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	keys := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, req, hash, "s3", s.Region, time.Now()); err != nil {
		return "", err
	}
	return send(req)
}

// send sends a request that must succeed.
func send(req *http.Request) (string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		err = errors.Join(err, fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, text))
	}
	return string(text), err
}

// refuse stands before a cluster as security does: no cluster of the tests has
// any.
func refuse(ts *testscript.TestScript, args []string) {
	target, err := url.Parse(ts.Getenv("OPENSEARCH"))
	ts.Check(err)
	proxy, wrong := httputil.NewSingleHostReverseProxy(target), regexp.MustCompile(args[0])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wrong.MatchString(r.Method + " " + r.URL.Path) {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":{"type":"security_exception","reason":"no permissions for this and User [name=u]"},"status":403}`)
	}))
	ts.Defer(s.Close)
	ts.Setenv("PROXY", s.URL)
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}
