package config

// Error is one thing that is wrong in a configuration.
type Error struct {
	File      string
	Line, Col int    // from 1, Col in characters; 0 without a file
	Message   string // what is wrong and what to do; never a secret
	Excerpt   string // the source line and a caret under Col; secrets in it are ***
}

// Error gives file:line:column: message, and the excerpt in the lines below it.
func (e Error) Error() string { panic("not yet") }

// Errors is everything that is wrong in a configuration, by position. There is
// at least one.
type Errors []Error

// Error gives all errors, one below the other.
func (e Errors) Error() string { panic("not yet") }
