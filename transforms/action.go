package transforms

// isAction reports whether a line is an action of a _bulk file that has its
// source in the next line: an object of one member, index, create or update,
// whose value has only members that the engines know there. Others they refuse,
// so a document that looks like an action is told from one by its fields.
func isAction(line []byte) bool {
	if len(line) > 2 && line[1] == '"' && line[2] != 'i' && line[2] != 'c' && line[2] != 'u' {
		return false // most lines are known by that
	}
	c := cursor{rest: line}
	return c.take('{') && isOneOf(c.key(), "index", "create", "update") && c.metadata() && c.take('}') && c.end()
}

func isOneOf(key []byte, names ...string) bool {
	for _, name := range names {
		if string(key) == name {
			return true
		}
	}
	return false
}

// cursor reads JSON from the beginning of rest on, as far as it has to be known
// to tell an action.
type cursor struct{ rest []byte }

// blanks passes blanks.
func (c *cursor) blanks() {
	for len(c.rest) > 0 && (c.rest[0] == ' ' || c.rest[0] == '\t' || c.rest[0] == '\r' || c.rest[0] == '\n') {
		c.rest = c.rest[1:]
	}
}

// end reports whether nothing is left.
func (c *cursor) end() bool {
	c.blanks()
	return len(c.rest) == 0
}

// take passes a byte, with blanks before it, and reports whether it is there.
func (c *cursor) take(b byte) bool {
	if c.blanks(); len(c.rest) == 0 || c.rest[0] != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// key passes a key and its colon. It is nil if there is none.
func (c *cursor) key() []byte {
	text := c.text()
	if !c.take(':') {
		return nil
	}
	return text
}

// text passes a string, and gives what is between its quotes; nil if there is none.
func (c *cursor) text() []byte {
	if !c.take('"') {
		return nil
	}
	for i := 0; i < len(c.rest); i++ {
		switch c.rest[i] {
		case '\\':
			i++
		case '"':
			text := c.rest[:i]
			c.rest = c.rest[i+1:]
			return text
		}
	}
	return nil
}

// metadata passes the value of an action, and reports whether it can be one.
func (c *cursor) metadata() bool {
	if !c.take('{') {
		return false
	}
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') || !isParameter(c.key()) || !c.value() {
			return false
		}
	}
	return true
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

// value passes any value, and reports whether there is one. Brackets are
// counted, and not compared: that is for the engine.
func (c *cursor) value() bool {
	c.blanks()
	begin := len(c.rest)
	for depth := 0; len(c.rest) > 0; {
		switch b := c.rest[0]; {
		case b == '"':
			if c.text() == nil {
				return false
			}
			continue
		case depth == 0 && (b == ',' || b == '}'):
			return len(c.rest) < begin
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth--
		}
		c.rest = c.rest[1:]
	}
	return false
}
