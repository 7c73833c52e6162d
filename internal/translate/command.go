package translate

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// flag is an option of a tool, and what is said where no part of the
// translation took its value: nothing that was given is dropped in silence.
type flag struct {
	name, short string
	bare        bool   // has no value, but behind =
	on          bool   // it is on unless it is switched off
	why         string // what is said then
	idle        bool   // and then nothing is lost
}

// style is how a tool reads its command line.
type style struct {
	dash   bool // one dash will do, as in package flag of Go
	shorts bool // short flags, several in one word, with the value behind them
	greedy bool // each flag takes what follows as its value, unless that is a flag
	words  bool // what is no flag is ignored
}

// command is a command line and an environment, as they were understood.
type command struct {
	Input
	tool   *Tool
	values map[string][]string // by name of the flag; "" where none was given
	taken  map[string]bool     // names of flags and variables
	plan   *plan
}

var number = regexp.MustCompile(`^-\d+$`)

// read understands a command line.
func (t *Tool) read(in Input) (*command, error) {
	c := &command{Input: in, tool: t, values: map[string][]string{}, taken: map[string]bool{}, plan: new(plan)}
	args := in.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && path.Base(args[0]) == t.Name {
		args = args[1:]
	}
	for len(args) > 0 {
		n, err := c.argument(args)
		if err != nil {
			return nil, err
		}
		args = args[n:]
	}
	return c, nil
}

// argument reads the first of args, and says how many it were.
func (c *command) argument(args []string) (n int, err error) {
	arg, next := args[0], ""
	if len(args) > 1 {
		next = args[1]
	}
	long := strings.HasPrefix(arg, "--") || c.tool.style.dash
	switch {
	case len(arg) < 2 || arg[0] != '-' || arg == "--":
		return 1, c.word(arg)
	case !long && c.tool.style.shorts:
		return c.letters(arg, next, len(args) > 1)
	case !long:
		return 0, fmt.Errorf("%s is no option of %s, all of which begin with --", arg[:2], c.tool.Name)
	}
	name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	f, err := c.find(name, func(f flag) string { return f.name })
	if err != nil && c.tool.style.greedy && strings.HasPrefix(name, "no-") {
		f, err = c.find(name[3:], func(f flag) string { return f.name })
		value, has = "false", true
	}
	if err != nil {
		return 0, err
	}
	if !has && !f.bare && len(args) > 1 && (!strings.HasPrefix(next, "-") || next == "-" || number.MatchString(next)) {
		c.values[f.name] = append(c.values[f.name], next)
		return 2, nil
	}
	if !has && !f.bare && !c.tool.style.greedy {
		return 0, fmt.Errorf("%s%s wants a value", c.dashes(), name)
	}
	c.values[f.name] = append(c.values[f.name], value)
	return 1, nil
}

// letters reads short flags.
func (c *command) letters(arg, next string, more bool) (n int, err error) {
	for i := 1; i < len(arg); i++ {
		f, err := c.find(arg[i:i+1], func(f flag) string { return f.short })
		if err != nil {
			return 0, err
		}
		if f.bare {
			c.values[f.name] = append(c.values[f.name], "")
			continue
		}
		if value := strings.TrimPrefix(arg[i+1:], "="); value != "" {
			c.values[f.name] = append(c.values[f.name], value)
			return 1, nil
		}
		if !more {
			return 0, fmt.Errorf("-%s wants a value", f.short)
		}
		c.values[f.name] = append(c.values[f.name], next)
		return 2, nil
	}
	return 1, nil
}

// find looks a flag up. Its error never shows a value.
func (c *command) find(name string, of func(flag) string) (flag, error) {
	for _, f := range c.tool.flags {
		if of(f) == name && name != "" {
			return f, nil
		}
	}
	dashes := c.dashes()
	if len(name) == 1 {
		dashes = "-"
	}
	simple := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	for _, f := range c.tool.flags {
		if simple(f.name) == simple(name) {
			return flag{}, fmt.Errorf("%s%s is no option of %s; did you mean --%s?", dashes, name, c.tool.Name, f.name)
		}
	}
	return flag{}, fmt.Errorf("%s%s is no option of %s", dashes, name, c.tool.Name)
}

// word is an argument that is no flag. It is not shown: it may be a part of a
// password.
func (c *command) word(arg string) error {
	switch {
	case c.tool.style.words:
		c.plan.idle = append(c.plan.idle, fmt.Sprintf("an argument that is no option, which %s does not look at either", c.tool.Name))
		return nil
	case arg == "docker" || arg == "kubectl" || arg == "npx" || arg == "sudo":
		return fmt.Errorf("%s is no option of %s: give what stands behind the name of the program or image", arg, c.tool.Name)
	}
	return fmt.Errorf("one of the arguments is no option of %s, nor the value of one; it is not shown here", c.tool.Name)
}

// given reports whether a flag was given, and is not off.
func (c *command) given(name string) bool { return len(c.values[name]) > 0 && !c.off(name) }

// off reports whether a flag was given to say that it is not.
func (c *command) off(name string) bool {
	value := last(c.values[name])
	return value == "false" || value == "null"
}

// text takes the value of a flag, the last one; "" without one.
func (c *command) text(name string) string {
	if !c.given(name) {
		return ""
	}
	c.taken[name] = true
	return last(c.values[name])
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// count takes a flag that is a number, which is def without it.
func (c *command) count(name string, def int) (int, error) {
	value := c.text(name)
	if value == "" {
		return def, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("%s%s is no number", c.dashes(), name)
	}
	return n, nil
}

// yes takes a flag that is on or off.
func (c *command) yes(name string) bool {
	c.taken[name] = true
	return c.given(name)
}

// env takes a variable.
func (c *command) env(name string) string {
	c.taken[name] = true
	return c.Env[name]
}

// both takes the values of two flags, or variables, that have an effect
// together alone.
func (c *command) both(one, other string) (a, b string) {
	look := func(name string) string {
		if value, ok := c.Env[name]; ok {
			return value
		}
		if c.off(name) {
			return ""
		}
		return last(c.values[name])
	}
	a, b = look(one), look(other)
	if a == "" || b == "" {
		return "", ""
	}
	c.taken[one], c.taken[other] = true, true
	return a, b
}

// leftovers says what was given and nothing took.
func (c *command) leftovers() {
	for _, f := range c.tool.flags {
		if len(c.values[f.name]) == 0 || c.taken[f.name] || c.off(f.name) && !f.on {
			continue
		}
		why := f.why
		if why == "" {
			why = "it has no effect together with the others, and was left out"
		}
		c.say(f.idle, c.dashes()+f.name+": "+why)
	}
	for _, name := range slices.Sorted(keysOf(c.Env)) {
		if !c.taken[name] {
			c.say(false, fmt.Sprintf("%s is not known to %s, or has no effect, and was left out", name, c.tool.Name))
		}
	}
}

func (c *command) say(idle bool, text string) {
	if idle {
		c.plan.idle = append(c.plan.idle, text)
		return
	}
	c.plan.byHand = append(c.plan.byHand, text)
}

// dashes is what stands before names of flags.
func (c *command) dashes() string {
	if c.tool.style.dash {
		return "-"
	}
	return "--"
}

// file reads a file that an option names.
func (c *command) file(option, path string) ([]byte, error) {
	text, err := c.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", option, err)
	}
	return text, nil
}

var errNoURL = errors.New("that is no URL of a cluster; in a password write %40 for @, %2F for /, %3A for :, %23 for #")
