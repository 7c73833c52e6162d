package search

import "bytes"

// Sorted is valid JSON as metadata is written.
func Sorted(b []byte) []byte {
	var out bytes.Buffer
	writeSorted(&out, bytes.TrimSpace(bytes.Clone(b)), 0)
	return out.Bytes()
}

// Document is what is made of a reply about the thing of a name; file is the
// last segment of its key.
func Document(file string, reply []byte, name string) (document string, ok bool) {
	for _, f := range forms {
		if f.file == file {
			list, ok := f.pick(reply, name)
			var out bytes.Buffer
			writeMembers(&out, []byte("{"), list, 0)
			return out.String(), ok
		}
	}
	return "", false
}

// Keeps says whether a setting belongs to the metadata.
func Keeps(setting string) bool { return keeps(setting) }
