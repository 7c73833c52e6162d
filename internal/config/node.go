package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file: a configuration is far below them, and what is above them
// was made to hurt.
const (
	maxFile  = 1 << 20
	maxNodes = 100_000 // with what aliases stand for
	maxDepth = 40
)

// node is a value of a configuration, from YAML or from settings. Aliases and
// merge keys are resolved in it.
type node struct {
	shape shape
	text  string // of a scalar
	as    reads
	place place
	items []*node // of a sequence
	pairs []pair  // of a mapping
}

// pair is a key and its value.
type pair struct {
	key   string
	place place
	value *node
}

type shape int

const (
	null   shape = iota
	broken       // an error was reported; nothing more is said of it
	scalar
	sequence
	mapping
)

// reads is what YAML takes a scalar for.
type reads int

const (
	asText reads = iota
	asNumber
	asBool
	asAny // a setting, or text with variables: it reads as whatever is wanted
)

// place is where something stands in the configuration.
type place struct {
	line, col int
	flag      string // of a setting, if there is no file
}

// tree turns the syntax tree of a file into nodes.
type tree struct {
	src     *source
	anchors map[string]ast.Node
	left    int  // nodes that may still be made
	full    bool // that was reported
	errs    []Error
}

// parse reads one YAML document. The node is nil if it could not be read.
func parse(src *source, text string) (*node, []Error) {
	t := &tree{src: src, anchors: map[string]ast.Node{}, left: maxNodes}
	if len(text) > maxFile {
		return nil, []Error{{Line: 1, Col: 1, Message: fmt.Sprintf("the file has %d bytes; a configuration has at most 1 MiB", len(text))}}
	}
	if !t.readable(text) {
		return nil, t.errs
	}
	body := t.document(text)
	if body == nil {
		return nil, t.errs
	}
	return t.node(body, 0), t.errs
}

func (t *tree) fail(at place, format string, args ...any) {
	t.errs = append(t.errs, Error{Line: max(1, at.line), Col: max(1, at.col), Message: fmt.Sprintf(format, args...)})
}

// readable refuses what is no text.
func (t *tree) readable(text string) bool {
	line, col := 1, 1
	for i, c := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); c == utf8.RuneError && n == 1 {
			t.src.hideSyntax(line)
			t.fail(place{line: line, col: col}, "a byte that is no UTF-8")
			return false
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			t.src.hideSyntax(line)
			t.fail(place{line: line, col: col}, "a control character (0x%02x)", c)
			return false
		}
		col++
		if c == '\n' {
			line, col = line+1, 1
		}
	}
	return true
}

// document parses the text and returns the body of its only document.
func (t *tree) document(text string) (body ast.Node) {
	defer func() {
		if r := recover(); r != nil { // a bug of the parser is not ours to die of
			body = nil
			t.fail(place{}, "this is no YAML that can be read")
		}
	}()
	tokens := lexer.Tokenize(text)
	if !t.allowed(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		t.syntax(err)
		return nil
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			t.fail(at(doc.Body), "a second document; a configuration is one, without ---")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		t.fail(place{}, "the configuration is empty; it needs pipelines")
	}
	return body
}

// allowed refuses the parts of YAML that no configuration needs, before the
// parser recurses into them.
func (t *tree) allowed(tokens token.Tokens) bool {
	depth, line, dashes := 0, 0, 0
	for _, tk := range tokens {
		if tk.Position.Line != line {
			line, dashes = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.TagType, token.DirectiveType, token.MappingKeyType:
			t.src.hideSyntax(tk.Position.Line)
			t.fail(placeOf(tk), "a tag, a directive or a key that is not a word: they are not used here; a value that begins like this needs quotes")
			return false
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			dashes++
		}
		if depth+dashes > maxDepth {
			t.src.hideSyntax(tk.Position.Line)
			t.fail(placeOf(tk), "nested too deeply")
			return false
		}
	}
	return true
}

// hints say what to do about errors of the parser.
var hints = []struct{ message, hint string }{
	{`found character '	' that`, "a tab cannot indent; use spaces"},
	{"unexpected key name", "this is no key with a value; a key ends with a colon and a blank"},
	{"mapping value is not allowed", "a colon and a blank inside a value; put the value in quotes"},
	{"could not find flow map content", "a , or } is missing"},
	{"',' or '}' must be specified", "a , or } is missing"},
	{"',' or ']' must be specified", "a , or ] is missing"},
	{"flow mapping end token", "the } of this { is missing"},
	{"sequence end token", "the ] of this [ is missing"},
	{"value is not allowed in this context", "this does not go on with what is above; look at the indentation"},
	{"non-map value is specified", "this is no key with a value; a key ends with a colon and a blank"},
	{"could not find end character", "the quote that begins here does not end"},
	{"is a reserved character", "a value cannot begin with this character; put it in quotes"},
}

// syntax reports what the parser says.
func (t *tree) syntax(err error) {
	e, ok := err.(interface {
		GetToken() *token.Token
		GetMessage() string
	})
	if !ok || e.GetToken() == nil {
		t.fail(place{}, "this is no YAML that can be read")
		return
	}
	where, message := placeOf(e.GetToken()), e.GetMessage()
	for _, h := range hints {
		if strings.Contains(message, h.message) {
			message = h.hint
			break
		}
	}
	if i := where.line - 1; i < len(t.src.lines) && i >= 0 {
		if line := t.src.lines[i]; strings.Contains(line, "${") && strings.Contains(message, "missing") {
			message += "; inside { } and [ ] a variable needs quotes: \"${NAME}\""
		}
		t.src.hideSyntax(where.line)
	}
	t.fail(where, "%s", message)
}

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{}
	}
	return place{line: tk.Position.Line, col: tk.Position.Column}
}

// at is where a node begins.
func at(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && n.Start != nil && n.Start.Type != token.MappingStartType {
			return at(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(n.Key)
	}
	return placeOf(n.GetToken())
}
