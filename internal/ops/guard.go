package ops

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"sluice/internal/unit"
)

// Guard says who may see and do what over HTTP.
//
// Where only this machine can connect, what must be kept out is a web page in
// somebody's browser. It is kept from changing anything by a header that pages of
// another origin cannot send without asking first, and are never allowed to; and
// from reading anything, under a name of its own that it lets point here, by the
// name in Host. From elsewhere, a token is needed to change anything.
type Guard struct {
	Loopback bool        // only this machine can connect
	Token    unit.Secret // "": there is none
}

// GuardFor is the guard of what listens somewhere.
func GuardFor(ln net.Listener, token unit.Secret) Guard {
	addr, ok := ln.Addr().(*net.TCPAddr)
	return Guard{ok && addr.IP.IsLoopback(), token}
}

// header is what a request has to have that changes something.
const header = "X-Sluice"

// actions is what is needed to change something.
func (g Guard) actions() Actions {
	switch {
	case g.Token != "":
		return WithToken
	case g.Loopback:
		return Allowed
	}
	return Forbidden
}

// trusted says whether a request may change things and see what records hold:
// it has the token, or none is needed.
func (g Guard) trusted(r *http.Request) bool {
	if g.Token == "" {
		return g.Loopback
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(g.Token.Reveal()))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// here lets only requests through that name this machine, where only it can
// connect.
func (g Guard) here(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.Loopback && !isLocal(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "this server is for the machine that it runs on: ask for it as localhost or 127.0.0.1, not as "+cut(r.Host, 100))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal says whether a Host names this machine.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// change lets only requests through that may change something.
func (g Guard) change(next http.HandlerFunc) http.Handler {
	return g.only(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(header) == "" {
			refuse(w, http.StatusForbidden, "send the header "+header+": 1")
			return
		}
		next(w, r)
	})
}

// only lets requests through that are trusted.
func (g Guard) only(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case g.actions() == Forbidden:
			refuse(w, http.StatusForbidden, "this needs http_token in the configuration, because others than this machine can connect")
		case !g.trusted(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "this needs the token: send Authorization: Bearer TOKEN")
		default:
			next(w, r)
		}
	})
}
