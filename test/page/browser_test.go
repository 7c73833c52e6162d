package page_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sluice/test/servers"
)

// tab is a page in the browser.
type tab struct {
	context.Context
	t *testing.T

	mu      sync.Mutex
	console []string // what the browser has said of the page
}

// browser is a Chromium for all tests.
var browser struct {
	sync.Mutex
	context.Context
	end func()
}

func TestMain(m *testing.M) {
	status := m.Run()
	if browser.end != nil {
		browser.end()
	}
	os.Exit(status)
}

// start starts the browser, unless it runs.
func start(t *testing.T, b servers.Browser) context.Context {
	t.Helper()
	browser.Lock()
	defer browser.Unlock()
	if browser.Context != nil {
		return browser.Context
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(b.Program), chromedp.Env(b.Env...), chromedp.NoSandbox,
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("lang", "en-GB"))
	all, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, done := chromedp.NewContext(all)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	browser.Context, browser.end = ctx, func() { done(); stop() }
	return browser.Context
}

// open opens a tab for a page of a size.
func open(t *testing.T, url string, width, height int64) *tab {
	t.Helper()
	ctx, done := chromedp.NewContext(start(t, servers.Chromium(t)))
	t.Cleanup(done)
	p := &tab{Context: ctx, t: t}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	p.do(call(log.Enable, cdp.Empty{}))
	p.resize(width, height)
	p.do(chromedp.Navigate(url))
	return p
}

// call is a command of the browser's protocol.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// listen keeps what the browser says of the page: messages, errors, refusals.
func (p *tab) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text = fmt.Sprintf("console.%s", e.Type)
		for _, a := range e.Args {
			text += fmt.Sprintf(" %s %s", a.Value, a.Description)
		}
	case *runtime.EventExceptionThrown:
		text = fmt.Sprint("exception: ", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *log.EventEntryAdded:
		text = fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.console = append(p.console, text)
}

// quiet fails the test if the browser has said anything.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.console {
		p.t.Errorf("got a message of the browser: %s", text)
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval is the value of an expression, which may be a promise.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression[:min(len(expression), 300)], err)
	}
	return v
}

// js runs a script.
func (p *tab) js(script string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](script))
}

// until waits until an expression is true. The page looks at the API meanwhile.
func (p *tab) until(expression string) {
	p.t.Helper()
	for begun := time.Now(); !eval[bool](p, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			p.t.Fatalf("not true: %s; the page is:\n%s", expression, eval[string](p, "document.body.innerText"))
		}
	}
}

// look lets the page ask the API now.
func (p *tab) look() { p.js(`document.dispatchEvent(new Event("visibilitychange"))`) }

// unfold unfolds all that is folded.
func (p *tab) unfold() {
	p.t.Helper()
	p.until(`document.querySelector("details.more") !== null`)
	p.js(`document.querySelectorAll("details.more").forEach((d) => { d.open = true })`)
	p.until(`[...document.querySelectorAll("details.more")].every((d) => d.querySelector("details.section"))`)
	p.js(`document.querySelectorAll("details.section").forEach((d) => { d.open = true })`)
}

func (p *tab) resize(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// theme makes the reader want a light or a dark page.
func (p *tab) theme(name string) {
	p.t.Helper()
	p.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// screenshot keeps a picture of the whole page where SLUICE_SCREENSHOTS says.
func (p *tab) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("SLUICE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
