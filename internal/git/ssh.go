package git

import "strings"

// sshCommand gives the command with which git reaches a host by SSH: with the
// key of the options alone, and only if the host is known. It is for a shell,
// which git asks to run it.
func sshCommand(key, knownHosts string) string {
	words := []string{"ssh", "-F", "/dev/null"}
	for _, option := range []string{
		"IdentityFile=" + escape(key),
		"IdentitiesOnly=yes",
		"IdentityAgent=none",
		"BatchMode=yes",
		"StrictHostKeyChecking=yes",
		"UserKnownHostsFile=" + escape(knownHosts),
		"GlobalKnownHostsFile=/dev/null",
		"UpdateHostKeys=no",
		"ForwardAgent=no",
		"ConnectTimeout=15",
		"ServerAliveInterval=15",
		"ServerAliveCountMax=4",
	} {
		words = append(words, "-o", option)
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// escape writes a path so that ssh takes it as it is: one word, without tokens.
func escape(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(path) + `"`
}
