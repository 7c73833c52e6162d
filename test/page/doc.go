// Package page tests the status page in a real browser: what it shows, that
// everybody can use it, and that it does what its controls say.
package page
