package translate

// Flags are the names of the flags of a tool.
func (t *Tool) Flags() (names []string) {
	for _, f := range t.flags {
		names = append(names, f.name)
	}
	return names
}

// Wildcards is wildcards.
var Wildcards = wildcards
