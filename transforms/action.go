package transforms

import "sluice/internal/raw"

// isAction reports whether a line is an action of a _bulk file that has its
// source in the next line: an object of one member, index, create or update,
// whose value has only members that the engines know there. Others they refuse,
// so a document that looks like an action is told from one by its fields.
func isAction(line []byte) bool {
	if len(line) > 2 && line[1] == '"' && line[2] != 'i' && line[2] != 'c' && line[2] != 'u' {
		return false // most lines are known by that
	}
	l := raw.At(line, raw.Blanks(line, 0))
	if !l.Next() || !isOneOf(l.Key, "index", "create", "update") || !metadata(line, &l) || l.Next() {
		return false
	}
	return l.Close() > 0 && raw.Blanks(line, l.Close()) == len(line)
}

func isOneOf(key []byte, names ...string) bool {
	for _, name := range names {
		if string(key) == name {
			return true
		}
	}
	return false
}

// metadata reads the value of an action, and reports whether it can be one.
func metadata(line []byte, action *raw.List) bool {
	m := raw.At(line, action.Value)
	for ; m.Next(); m.Skip() {
		if !isParameter(m.Key) {
			return false
		}
	}
	action.End = m.Close()
	return m.Object() && action.End > 0
}

// isParameter reports whether an action can have a member of that name, in any
// version of the engines.
func isParameter(key []byte) bool {
	if len(key) > 0 && key[0] == '_' && isOneOf(key[1:], "routing", "parent", "version", "version_type", "retry_on_conflict") {
		return true // as they were called once
	}
	return isOneOf(key, "_index", "_id", "_type", "_source", "routing", "parent", "version", "version_type", "retry_on_conflict", "if_seq_no", "if_primary_term",
		"op_type", "pipeline", "require_alias", "require_data_stream", "dynamic_templates", "list_executed_pipelines")
}
