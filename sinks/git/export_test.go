package git

import "sluice/pipeline"

// SetStage sets from how many bytes of new files on they are pushed in parts.
func SetStage(s pipeline.Sink, n int64) { s.(*sink).stage = n }

// Message is that of a commit with a change of each path.
func Message(template, group string, added ...string) string {
	a := about{group: group, pipeline: "p", source: "s", pass: 7, summary: newSummary()}
	for _, path := range added {
		n := counts{added: 1}
		a.counts = a.plus(n)
		a.summary.add(path, n)
	}
	return a.message(template)
}

// Wide gives the directories that have too many entries.
func Wide(paths []string) (wide []string) {
	w := widths{note: func(_, dir string) { wide = append(wide, dir) }}
	for _, p := range paths {
		w.add(p)
	}
	return wide
}

// Row is what is known of a path.
type Row = row

// Value is the row as the store has it.
func (r row) Value() []byte { return r.at("").Value }

// ParseRow is the inverse of Value.
var ParseRow = decode
