package git

// appendPath appends a path as fast-import reads it: in quotes, every byte that
// is not plain ASCII in octal. (Before 2.45 a path that was quoted wrongly was
// taken as it is, and the file got another name.)
func appendPath(dst []byte, path string) []byte {
	dst = append(dst, '"')
	for _, c := range []byte(path) {
		if c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			continue
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendValue appends a value of a configuration file of git, in quotes.
func appendValue(dst []byte, value string) []byte {
	dst = append(dst, '"')
	for _, c := range []byte(value) {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
