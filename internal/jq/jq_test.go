package jq_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sluice/internal/jq"
)

// results runs an expression over a text.
func results(t *testing.T, expr, text string) (all []string, err error) {
	t.Helper()
	p, err := jq.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	in, err := jq.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	err = p.Run(t.Context(), in, func(v any) error {
		b, err := jq.Object(v)
		all = append(all, string(b))
		return err
	})
	return all, err
}

func TestNumbersThatAreHandedOnStayAsTheyAreWritten(t *testing.T) {
	got, err := results(t, `., {n: (.n + 1)}`, `{"b":1.0,"a":[1e400,-0],"n":9007199254740993}`)
	want := []string{`{"a":[1e400,-0],"b":1.0,"n":9007199254740993}`, `{"n":9007199254740994}`}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestWhatJSONHasNotIsAnError(t *testing.T) {
	for expr, text := range map[string]string{
		`{n: nan}`: `{}`, `{n: [infinite]}`: `{}`, `1`: `{}`, `[.]`: `{}`, `.a.b`: `{"a":1}`, `error("x")`: `{}`,
		`. `: "{\"a\":\"\xff\"}", ` .`: `{"a":"\ud83d"}`, `.`: `{} {}`, `.  `: `{`, `.a`: ``,
	} {
		if got, err := results(t, expr, text); err == nil {
			t.Errorf("%s of %q: got %q, want an error", expr, text, got)
		}
	}
}

func TestTheFirstResultDecides(t *testing.T) {
	for expr, want := range map[string]bool{`.a == 1`: true, `.b`: false, `false, true`: false, `empty`: false, `0`: true, `1, error`: true} {
		p, err := jq.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Holds(t.Context(), map[string]any{"a": 1}); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", expr, got, err, want)
		}
	}
}

func TestAProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	p, err := jq.Parse(`def f: f; f`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx, nil, func(any) error { return nil }); err != why {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestCallsAreFoundAnywhere(t *testing.T) {
	for expr, want := range map[string]bool{`.a | if . then [now] else 1 end`: true, `.now`: false, `"now"`: false, `def f: now; 1`: true} {
		p, err := jq.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Calls("now"); got != want {
			t.Errorf("%s: got %v, want %v", expr, got, want)
		}
	}
}
