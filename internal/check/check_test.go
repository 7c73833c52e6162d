package check_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/check"
)

func TestEachFailureHasARemedy(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{syscall.ECONNREFUSED, "start the server"},
		{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, "the name is not known here"},
		{x509.UnknownAuthorityError{}, "tls: {ca: FILE}"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, "the name that the certificate is for"},
		{x509.CertificateInvalidError{Reason: x509.Expired}, "renewed"},
		{syscall.EHOSTUNREACH, "no way to that address"},
		{context.DeadlineExceeded, "nobody answers there"},
		{fs.ErrPermission, "the user that runs sluice"},
		{syscall.EROFS, "can be written to"},
		{errors.New("404 NoSuchBucket (check bucket)"), ""},
		{fmt.Errorf("%w (check endpoint and region)", &net.DNSError{}), ""},
		{nil, ""},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("GET x: %w", err)
		}
		if got := check.Remedy(err); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}

func TestWhatIsNotKnownIsNotMissing(t *testing.T) {
	why := errors.New("503")
	for want, g := range map[bool]check.Grant{true: {Err: why}, false: {Err: check.Unsure(why)}} {
		if got := g.Missing(); got != want {
			t.Errorf("%v: got %v, want %v", g, got, want)
		}
	}
	if (check.Grant{}).Missing() {
		t.Error("what is allowed is missing")
	}
	if !errors.Is(check.Unsure(why), why) {
		t.Error("the reason is lost")
	}
}

func TestHowManyOfASizeItTakes(t *testing.T) {
	for _, test := range [][3]int64{{0, 8, 0}, {1, 8, 1}, {8, 8, 1}, {9, 8, 2}, {-1, 8, -1}, {9, 0, -1}} {
		if got := check.Over(test[0], test[1]); got != test[2] {
			t.Errorf("%d of %d: got %d, want %d", test[0], test[1], got, test[2])
		}
	}
}
