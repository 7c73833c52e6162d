// Package git speaks to Git repositories by running the git program, 2.36 or
// later: in a bare repository of its own that is thrown away with the run,
// without a work tree, an index, hooks, or configuration of the machine.
//
// A [Remote] knows how to reach the repository that the options name; a [Repo]
// is the bare repository into which commits are fetched, in which new ones are
// made ([Import]) and from which they are pushed. Only Create, Resolve, Fetch,
// Prefetch and Push speak to the remote: what else is not here is an error and
// never a surprising request.
package git
