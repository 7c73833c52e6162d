package page_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sluice/internal/ops"
)

// controls are all that can be used on the page, as a keyboard should come to
// them.
const controls = `[...document.querySelectorAll("a[href], button, summary, input")].filter((e) => e.checkVisibility())`

// called is what an element is called.
const called = `((e) => e.tagName + " " + (e.getAttribute("aria-label") ?? e.textContent).trim())`

func (p *tab) press(keys string) { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

func TestAKeyboardComesToEveryControl(t *testing.T) {
	a := serve(t)
	a.set(func() { a.all.Pipelines = a.all.Pipelines[:2] })
	p := open(t, a.URL, 360, 900)
	p.until(`document.querySelectorAll(".card").length === 3`)
	p.unfold()
	want := eval[[]string](p, controls+".map("+called+")")
	if len(want) < 15 {
		t.Fatalf("got %q, want more controls", want)
	}
	var got []string
	for range want {
		p.press(kb.Tab)
		got = append(got, eval[string](p, called+"(document.activeElement)"))
		if style := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`); style == "none" {
			t.Errorf("%s: it is not seen that it has the focus", got[len(got)-1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	p.quiet()
}

func TestAKeyboardPausesResumesAndRuns(t *testing.T) {
	a := serve(t)
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	for _, use := range []struct{ pipeline, action, key string }{{"logs", "pause", " "}, {"tickets", "resume", kb.Enter}, {"nightly", "run", kb.Enter}} {
		p.js(fmt.Sprintf(`document.querySelector("[data-pipeline=%s][data-action=%s]").focus()`, use.pipeline, use.action))
		p.press(use.key)
		p.until(fmt.Sprintf(`document.getElementById("said").textContent.startsWith("%s: ")`, use.pipeline))
		posts := a.posted()
		want := post{"/api/v1/pipelines/" + use.pipeline + "/" + use.action, "1", ""}
		if got := posts[len(posts)-1]; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if n := len(a.posted()); n != 3 {
		t.Errorf("got %d requests, want 3", n)
	}
	p.quiet()
}

func TestWhatIsRefusedIsSaid(t *testing.T) {
	a := serve(t)
	a.set(func() { a.refusal = "logs: the pipeline is paused" })
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelector("[data-action=pause]")`)
	p.js(`document.querySelector("[data-action=pause]").click()`)
	p.until(`document.querySelector(".answer")?.textContent === "Not done: logs: the pipeline is paused"`)
}

func TestTheTokenIsAskedForAndKeptFromTheAddress(t *testing.T) {
	a := serve(t)
	a.set(func() { a.all.Actions, a.token = ops.WithToken, "open" })
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelector("[data-action=pause]")`)
	p.js(`document.querySelector("[data-action=pause]").click()`)
	p.until(`document.querySelector("dialog").open && document.activeElement.id === "token-text"`)
	p.press("wrong" + kb.Enter)
	p.until(`document.getElementById("token-error").textContent !== ""`)
	p.press("open" + kb.Enter)
	p.until(`document.querySelector(".answer")?.textContent.startsWith("Pauses")`)
	posts := a.posted()
	if len(posts) != 2 || posts[0].token != "Bearer wrong" || posts[1].token != "Bearer open" {
		t.Errorf("got %v, want one token and then the other", posts)
	}
	if place := eval[string](p, "location.href + document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"); strings.Contains(place, "open") {
		t.Errorf("got %q, want the token nowhere", place)
	}
	p.js(`document.querySelector("[data-action=pause]").click()`)
	p.until(`document.querySelector(".answer")?.textContent.startsWith("Pauses")`)
	if eval[bool](p, `document.querySelector("dialog").open`) {
		t.Error("got asked again")
	}
}

func TestWhoChangesTheirMindSendsNothing(t *testing.T) {
	a := serve(t)
	a.set(func() { a.all.Actions, a.token = ops.WithToken, "open" })
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelector("[data-action=pause]")`)
	p.js(`document.querySelector("[data-action=pause]").focus()`)
	p.press(kb.Enter)
	p.until(`document.querySelector("dialog").open`)
	p.press(kb.Escape)
	p.until(`!document.querySelector("dialog").open && document.activeElement.dataset.action === "pause"`)
	if posts := a.posted(); len(posts) > 0 {
		t.Errorf("got %v, want nothing", posts)
	}
	p.quiet()
}

func TestWhereNothingCanBeChangedThereIsNoButton(t *testing.T) {
	a := serve(t)
	a.set(func() { a.all.Actions = ops.Forbidden })
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelector("#hint").textContent.includes("http_token")`)
	if n := eval[int](p, `document.querySelectorAll("[data-action]").length`); n != 0 {
		t.Errorf("got %d buttons", n)
	}
}

func TestForeignTextIsText(t *testing.T) {
	const evil = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`
	a := serve(t)
	a.set(func() {
		a.all.Pipelines = a.all.Pipelines[:1]
		a.all.Configuration.Error = evil
		a.all.Events[0].Message, a.all.Events[0].Values = evil, map[string]any{evil: evil}
		v := &a.all.Pipelines[0]
		v.Failing = &ops.Failing{Error: evil}
		v.Stages[0].Kind, v.Retries = evil, map[string]int64{evil: 1}
		a.details.Configuration, a.details.Notes = evil, []string{evil}
		a.details.Lanes[0].Name, a.details.Lanes[0].Error = evil, evil
		a.details.DeadLetters.Reasons[0].Reason = evil
		a.details.DeadLetters.Reasons[0].Example.Record = evil
		a.details.History[0].Error = evil
	})
	p := open(t, a.URL, 360, 900)
	p.unfold()
	if n := eval[int](p, `document.querySelectorAll("main img, body script").length`); n != 0 {
		t.Errorf("got %d elements of what is text", n)
	}
	if n := eval[int](p, `document.body.innerText.split("<img src=x").length - 1`); n < 12 {
		t.Errorf("got the text %d times, want each", n)
	}
	if over := eval[int](p, "document.scrollingElement.scrollWidth - innerWidth"); over > 0 {
		t.Errorf("got a page %d pixels too wide", over)
	}
	p.quiet()
}

func TestScriptsOfOthersDoNotRun(t *testing.T) {
	p := open(t, serve(t).URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	for name, script := range map[string]string{
		"a script": `(() => { const s = document.createElement("script"); s.append("window.broken = 1"); document.body.append(s) })()`,
		"a style":  `(() => { const s = document.createElement("style"); s.append("body { display: none }"); document.head.append(s) })()`,
		"markup":   `(() => { try { document.body.innerHTML = "<b>broken</b>" } catch {} })()`,
	} {
		p.js(script)
		if eval[bool](p, `window.broken === 1 || getComputedStyle(document.body).display === "none" || !document.querySelector(".card")`) {
			t.Errorf("%s of others was taken", name)
		}
	}
}

func TestWhatIsUnfoldedAndFocusedStaysWhileThePageChanges(t *testing.T) {
	a := serve(t)
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	p.js(`document.querySelectorAll("details.more")[1].querySelector("summary").focus()`)
	p.press(kb.Enter)
	p.until(`document.querySelectorAll("details.section").length === 5`)
	p.js(`document.querySelectorAll("details.section")[4].open = true; document.querySelectorAll("details.section")[0].open = false; window.was = document.activeElement`)
	a.set(func() {
		a.all.Pipelines[1].Dead = 4242
		a.all.Pipelines[1].Failing.Error = "another one"
		a.all.Pipelines = slices.Delete(a.all.Pipelines, 0, 1)
	})
	p.look()
	p.until(`document.body.textContent.includes("4,242") && document.body.textContent.includes("another one") && document.querySelectorAll(".card").length === 6`)
	if !eval[bool](p, `window.was === document.activeElement && window.was.isConnected && document.querySelectorAll("details.section")[4].open && !document.querySelectorAll("details.section")[0].open`) {
		t.Error("got what the reader had unfolded folded, or the focus lost")
	}
	p.quiet()
}

func TestAScreenReaderIsToldWhatChanges(t *testing.T) {
	a := serve(t)
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	if said := eval[string](p, `document.querySelector("[role=status]").textContent`); said != "" {
		t.Errorf("got %q, want nothing as long as nothing changes", said)
	}
	a.set(func() { a.all.Pipelines[0].State = ops.StatePartial })
	p.look()
	p.until(`document.querySelector("[role=status]").textContent === "logs: partial"`)
}

func TestSilenceIsSaidAndWhatWasKnownStays(t *testing.T) {
	a := serve(t)
	p := open(t, a.URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	a.set(func() { a.silent = true })
	p.look()
	p.until(`document.querySelector("[role=alert]")?.textContent.includes("does not answer")`)
	if n := eval[int](p, `document.querySelectorAll(".card").length`); n != 7 {
		t.Errorf("got %d cards, want all that were there", n)
	}
	a.set(func() { a.silent = false })
	p.look()
	p.until(`!document.querySelector("[role=alert]")`)
}

func TestTheBusiestStageIsMarkedAndTroubleIsInTheTitle(t *testing.T) {
	p := open(t, serve(t).URL, 768, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	if got := eval[string](p, `document.querySelector("#pipeline-logs .busiest").innerText`); !strings.Contains(got, "gzip") || !strings.Contains(got, "busiest") || !strings.Contains(got, "97% busy") {
		t.Errorf("got %q, want gzip", got)
	}
	if got := eval[string](p, `document.title`); !strings.HasPrefix(got, "(2) audit is failing") {
		t.Errorf("got %q, want that two are in trouble", got)
	}
}
