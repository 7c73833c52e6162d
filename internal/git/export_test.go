package git

// What tests of this package try by itself.
var (
	AppendPath = appendPath
	ParseEntry = parseEntry
	ReadChange = readChange
	Written    = written
)
