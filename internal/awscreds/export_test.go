package awscreds

import "time"

// SetClock makes a Provider take the time from now.
func SetClock(p *Provider, now func() time.Time) { p.now = now }

// Words splits a command.
var Words = words
