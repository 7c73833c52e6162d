package check

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"
)

// Remedy says what to do about an error of the network or of files, or "": the
// errors of clusters and stores say so themselves.
func Remedy(err error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	switch {
	case err == nil || strings.Contains(err.Error(), "(check "):
		return ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there: start the server, or correct host and port"
	case errors.As(err, &dns):
		return "the name is not known here: correct the host, or ask who runs the DNS of this machine"
	case errors.As(err, &authority):
		return "name the authority that signed the certificate: tls: {ca: FILE}"
	case errors.As(err, &host):
		return "use the name that the certificate is for"
	case errors.As(err, &invalid):
		return "the certificate of the server has to be renewed"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to that address: correct the host, or ask who runs the network"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "nobody answers there: correct host and port, or let it through the firewall"
	case errors.Is(err, fs.ErrPermission):
		return "give the user that runs sluice the right to it"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EROFS):
		return "use a file system with room that can be written to"
	}
	return ""
}
