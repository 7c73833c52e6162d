// Package servers gives tests the real servers that they need.
//
// `make test` starts them once and says in the environment where they are,
// `make test-engines` one search engine after the other,
// `make test-stores` one S3 store after the other. A test whose server is
// not there is skipped with a reason; where SLUICE_REQUIRE_SERVERS is set, as
// under CI, it fails instead.
package servers

import (
	"os"
	"strings"
	"testing"
)

// OpenSearch returns the URL of the newest OpenSearch, without security.
func OpenSearch(t testing.TB) string {
	t.Helper()
	if other := os.Getenv("SLUICE_TEST_SEARCH"); other != "" && os.Getenv("SLUICE_TEST_OPENSEARCH") == "" {
		t.Skipf("it needs %s, and this run is for %s", Engines()[0], other)
	}
	return need(t, "SLUICE_TEST_OPENSEARCH")
}

// Cluster is a running search engine without security.
type Cluster struct {
	Engine
	URL string
}

// Search returns the search engine that the tests are run against: any of
// [Engines] if SLUICE_TEST_SEARCH says so, as "elasticsearch-9=http://host:port",
// else that of [OpenSearch].
func Search(t testing.TB) Cluster {
	t.Helper()
	name, url, ok := strings.Cut(os.Getenv("SLUICE_TEST_SEARCH"), "=")
	if !ok {
		return Cluster{Engines()[0], OpenSearch(t)}
	}
	found, err := FindEngines(name)
	if err != nil || len(found) != 1 {
		t.Fatalf("SLUICE_TEST_SEARCH: want one engine: %v", err)
	}
	return Cluster{found[0], url}
}

// S3 returns the S3 store that the tests are run against: any of [Products],
// as [StoreAt] finds it in SLUICE_TEST_S3.
func S3(t testing.TB) Store {
	t.Helper()
	store, err := StoreAt(need(t, "SLUICE_TEST_S3"))
	if err != nil {
		t.Fatal(err)
	}
	return store
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

// FreePort is a port of 127.0.0.1 that nobody listens at.
func FreePort(t testing.TB) int {
	t.Helper()
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}
