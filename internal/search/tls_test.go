package search_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/search"
	"sluice/internal/unit"
)

// newPair makes a certificate that has signed itself, and its key.
func newPair(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, DNSNames: []string{"memory"},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// files writes a pair into files.
func files(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "CERTIFICATE", pair.Certificate[0]), file(t, "PRIVATE KEY", der)
}

func file(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secured is a cluster that speaks TLS. clients are the certificates it wants
// to see, or none.
func secured(t *testing.T, f http.HandlerFunc, clients ...tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if len(clients) > 0 {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
		for _, c := range clients {
			leaf, err := x509.ParseCertificate(c.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			s.TLS.ClientCAs.AddCert(leaf)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestTLSChecksTheClusterAndIsNotTriedAgain(t *testing.T) {
	s := secured(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
	ca := file(t, "CERTIFICATE", s.Certificate().Raw)
	for name, c := range map[string]struct {
		tls  search.TLS
		host string
		says string
	}{
		"unknown":    {search.TLS{}, "", "tls.ca"},
		"ca":         {search.TLS{CA: ca}, "", ""},
		"other name": {search.TLS{CA: ca}, "localhost", "into url"},
		"insecure":   {search.TLS{Insecure: true}, "", ""},
	} {
		cfg := to(s.URL)
		if c.host != "" {
			cfg.URL[0] = strings.Replace(s.URL, "127.0.0.1", c.host, 1)
		}
		cfg.TLS, cfg.Retry = c.tls, unit.Duration(time.Hour)
		err := client(t, cfg).Call(t.Context(), search.Request{Path: "/"}, nil)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
		if warnings := cfg.Warnings(); (len(warnings) == 1) != c.tls.Insecure {
			t.Errorf("%s: got warnings %q, want one if it is insecure", name, warnings)
		}
	}
	for name, bad := range map[string]search.TLS{"no file": {CA: ca + "x"}, "no pem": {CA: os.Args[0]}, "no pair": {Cert: ca, Key: ca}} {
		cfg := to(s.URL)
		cfg.TLS = bad
		if _, err := search.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "tls: ") {
			t.Errorf("%s: got %v, want an error of tls", name, err)
		}
	}
	plain := to(strings.Replace(cluster(t, func(http.ResponseWriter, *http.Request) {}), "http:", "https:", 1))
	plain.Retry = unit.Duration(time.Hour)
	if err := client(t, plain).Call(t.Context(), search.Request{Path: "/"}, nil); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS") {
		t.Errorf("got %v, want to be told at once that this is no https", err)
	}
}

func TestAClusterMayWantAClientCertificate(t *testing.T) {
	known, stranger := newPair(t), newPair(t)
	s := secured(t, func(w http.ResponseWriter, r *http.Request) {
		if !bytes.Equal(r.TLS.PeerCertificates[0].Raw, known.Certificate[0]) {
			t.Error("got a request with another certificate")
		}
		io.WriteString(w, "{}")
	}, known)
	for name, c := range map[string]struct {
		pair *tls.Certificate
		says string
	}{"known": {&known, ""}, "stranger": {&stranger, "tls.cert"}, "none": {nil, "tls.cert"}} {
		cfg := to(s.URL)
		cfg.TLS.CA, cfg.Retry = file(t, "CERTIFICATE", s.Certificate().Raw), unit.Duration(20*time.Second)
		if c.pair != nil {
			cfg.TLS.Cert, cfg.TLS.Key = files(t, *c.pair)
		}
		begin := time.Now()
		err := client(t, cfg).Call(t.Context(), search.Request{Path: "/_search", Body: []byte("{}")}, nil)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: got %v after %s, want %q at once", name, err, time.Since(begin), c.says)
		}
	}
}
