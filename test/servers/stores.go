package servers

import (
	"fmt"
	"slices"
	"strings"
)

// Product is an S3 store in one exact version. Its methods say where it differs
// from others in what tests see.
type Product struct {
	Name    string // "garage"
	Version string

	accessKey, secretKey string
}

// Products returns those that tests run on. Keys with bytes that XML cannot
// hold, and conditional writes, are where they differ most.
func Products() []Product {
	return []Product{
		{"versitygw", "1.8.0", "test", "testsecret"},
		{"minio", "2026-02-12", "test", "testsecret"},
		{"garage", "2.5.0", "testtest", "testsecrettestsecret"}, // it wants longer ones
	}
}

// FindProducts returns the products of a list of names with commas; all of them
// for "all".
func FindProducts(list string) ([]Product, error) {
	all := Products()
	if list == "all" {
		return all, nil
	}
	var found []Product
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(p Product) bool { return p.Name == name })
		if i < 0 {
			var names []string
			for _, p := range all {
				names = append(names, p.Name)
			}
			return nil, fmt.Errorf("no store is called %q; there are all, %s", name, strings.Join(names, ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}

// String is its name and version.
func (p Product) String() string { return p.Name + " " + p.Version }

// Conditional reports whether it honours If-None-Match and If-Match when an
// object is written; else the last writer wins.
func (p Product) Conditional() bool { return p.Name != "garage" }

// Versions reports whether buckets can keep versions.
func (p Product) Versions() bool { return p.Name != "garage" }

// Tags reports whether objects have tags.
func (p Product) Tags() bool { return p.Name != "garage" }

// Exact reports whether each key that AWS takes is a key of its own, as a path
// in a file system is not.
func (p Product) Exact() bool { return p.Name == "garage" }

// folder is its name in Home.
func (p Product) folder() string { return p.Name + "-" + p.Version }

// Store is a running store, with path-style addressing.
type Store struct {
	Product
	Endpoint, Region, AccessKey, SecretKey string
}

// StoreAt is the store that SLUICE_TEST_S3 names: a URL, or "garage=http://host:port"
// for one that is not the first of [Products].
func StoreAt(text string) (Store, error) {
	p := Products()[0]
	name, url, ok := strings.Cut(text, "=")
	if !ok {
		url = text
	} else {
		found, err := FindProducts(name)
		if err != nil || len(found) != 1 {
			return Store{}, fmt.Errorf("SLUICE_TEST_S3: want one store: %w", err)
		}
		p = found[0]
	}
	return Store{Product: p, Endpoint: url, Region: "us-east-1", AccessKey: p.accessKey, SecretKey: p.secretKey}, nil
}
