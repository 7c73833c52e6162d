// Package servers gives tests the real servers that they need.
//
// `make test` starts them once and says in the environment where they are. A
// test whose server is not there is skipped with a reason; where
// SLUICE_REQUIRE_SERVERS is set, as under CI, it fails instead.
package servers

import (
	"os"
	"testing"
)

// OpenSearch returns the URL of an OpenSearch without security.
func OpenSearch(t testing.TB) string {
	t.Helper()
	return need(t, "SLUICE_TEST_OPENSEARCH")
}

// Store is a running S3 store.
type Store struct {
	Endpoint, Region, AccessKey, SecretKey string
}

// S3 returns an S3 store with path-style addressing.
func S3(t testing.TB) Store {
	t.Helper()
	return Store{Endpoint: need(t, "SLUICE_TEST_S3"), Region: "us-east-1", AccessKey: "test", SecretKey: "testsecret"}
}

func need(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	switch {
	case v != "":
		return v
	case os.Getenv("SLUICE_REQUIRE_SERVERS") != "":
		t.Fatalf("%s is not set, and tests of real servers must run here: start them with `make test`", name)
	default:
		t.Skipf("%s is not set: `make test` starts the server and sets it", name)
	}
	return ""
}
