package servers_test

import (
	"strings"
	"testing"

	"sluice/test/servers"
)

func TestTheEnvironmentSaysWhichStoreTheTestsAreFor(t *testing.T) {
	t.Setenv("SLUICE_TEST_S3", "garage=http://h:1")
	if s := servers.S3(t); s.String() != "garage 2.5.0" || s.Endpoint != "http://h:1" || s.Conditional() || len(s.SecretKey) < 16 {
		t.Errorf("got %v at %s, want Garage", s, s.Endpoint)
	}
	t.Setenv("SLUICE_TEST_S3", "http://other")
	if s := servers.S3(t); s.String() != "versitygw 1.8.0" || s.Endpoint != "http://other" || !s.Conditional() || s.AccessKey != "test" {
		t.Errorf("got %v at %s, want VersityGW", s, s.Endpoint)
	}
	if s, err := servers.StoreAt("ceph=http://h"); err == nil || !strings.Contains(err.Error(), "garage") {
		t.Errorf("got %v, %v, want an error that names the stores", s, err)
	}
}
