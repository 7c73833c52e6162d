// Package daemon runs pipelines for months. Each is supervised for itself: its
// passes begin when they are due, never two at a time; one that fails is tried
// again from its state, with back-off, while the others go on; one that gets
// nowhere says where it hangs; hooks tell others how a pass ended. When the
// configuration changes, only those pipelines begin anew whose own part of it
// did.
package daemon
