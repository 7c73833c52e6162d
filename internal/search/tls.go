package search

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// TLS is the options of connections by https.
type TLS struct {
	CA       string `yaml:"ca" doc:"File with the certificates (PEM) that the cluster's is checked against; default: those of the system."`
	Cert     string `yaml:"cert" doc:"File with the client certificate (PEM)."`
	Key      string `yaml:"key" doc:"File with the client certificate's key (PEM)."`
	Insecure bool   `yaml:"insecure" doc:"Do not check the cluster's certificate."`
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{InsecureSkipVerify: t.Insecure, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls: ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls: ca: " + t.CA + ": no certificate in PEM form")
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// distrust says whether one side does not trust the other, and then gives err
// with what to do about it. reached: a node has answered before, so that it is
// a hiccup unless it is about certificates.
func distrust(err error, reached bool) (error, bool) {
	var (
		authority x509.UnknownAuthorityError
		cert      *tls.CertificateVerificationError
		host      x509.HostnameError
		plain     tls.RecordHeaderError
		remote    *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("%w: give the certificate of the authority that signed the cluster's as tls.ca", err), true
	case errors.As(err, &host):
		return fmt.Errorf("%w: write a name that is in the certificate into url", err), true
	case errors.As(err, &cert), errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return err, true
	case !errors.As(err, &remote) || remote.Op != "remote error": // so crypto/tls calls an alert of the other side
		return nil, false
	case strings.Contains(remote.Error(), "certificate"):
		return fmt.Errorf("%w: the cluster wants a client certificate that it trusts: give it as tls.cert and tls.key", err), true
	}
	return err, !reached
}
