package page_test

import (
	"fmt"
	"testing"

	"sluice/internal/ops"
	"sluice/test/servers"
)

func TestEverybodyCanReadThePage(t *testing.T) {
	axe, a := servers.Axe(t), serve(t)
	p := open(t, a.URL, 1280, 900)
	p.until(`document.querySelectorAll(".card").length === 7`)
	p.isFine(axe, "pipelines")
	a.set(func() { a.all.Pipelines, a.all.Configuration = a.all.Pipelines[:1], ops.Configuration{} })
	p.look()
	p.until(`document.querySelectorAll(".card").length === 2`)
	p.unfold()
	p.isFine(axe, "details")
	p.quiet()
}

// isFine looks at the page as it is, on small and large screens, light and dark.
func (p *tab) isFine(axe, what string) {
	p.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		p.theme(theme)
		for _, width := range []int64{360, 768, 1280} {
			name := fmt.Sprintf("%s-%d-%s", what, width, theme)
			p.resize(width, 900)
			p.screenshot(name)
			if over := eval[int](p, "document.scrollingElement.scrollWidth - innerWidth"); over > 0 {
				p.t.Errorf("%s: got a page %d pixels too wide:\n%s", name, over, eval[string](p, widest))
			}
			for _, v := range violations(p, axe) {
				p.t.Errorf("%s: axe: %s", name, v)
			}
		}
	}
}

// widest names elements that stand out on the right.
const widest = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 120)).join("\n")`

// violations are what axe finds on the page.
func violations(p *tab, axe string) []string {
	p.t.Helper()
	p.js(axe)
	return eval[[]string](p, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))`)
}
