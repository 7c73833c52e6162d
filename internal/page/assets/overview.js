// What pipelines do, at a glance.

import { h } from "./dom.js";
import { detail } from "./detail.js";
import { count, percent, plural, size, since, span, speed, when } from "./format.js";
import { badge, looks } from "./parts.js";

// process is what there is to say of the process itself.
export function process(all) {
  const { bound, in_flight: flying } = all.memory;
  return [
    h("span", { class: all.ready ? "badge good" : "badge bad" }, all.ready ? "ready" : "not ready"),
    h("span", { class: "memory" },
      h("progress", { max: Math.max(1, bound), value: flying, "aria-label": "Memory in flight" }),
      h("span", null, h("b", null, size(flying)), " in flight of ", size(bound))),
    h("span", null, "up ", h("b", null, span(since(all.started, all.now)))),
    h("span", null, all.version),
  ];
}

// notices are what is wrong beside the pipelines.
export function notices(all, silent) {
  const wrong = [];
  if (silent) {
    wrong.push(h("div", { class: "notice bad", role: "alert", "data-key": "silent" },
      h("p", null, h("b", null, "Sluice does not answer"), all ? ` since ${when(silent.since, Date.now())}. What follows is how it was then.` : ".")));
  }
  if (all?.configuration.error) {
    wrong.push(h("div", { class: "notice bad", "data-key": "configuration" },
      h("p", null, h("b", null, "The configuration has errors"), `; it was read at ${when(all.configuration.at, all.now)}, and all stays as it was.`),
      h("pre", null, all.configuration.error)));
  }
  return wrong;
}

// links lead to the pipelines, if there are several.
export function links(pipelines) {
  if (pipelines.length < 2) return [];
  return [h("ul", null, pipelines.map((p) => h("li", { "data-key": p.name },
    h("a", { href: `#${idOf(p.name)}` }, h("span", { class: `dot ${looks[p.state] ?? "calm"}` }), p.name, h("span", { class: "unseen" }, `: ${p.state}`)))))];
}

const idOf = (name) => `pipeline-${name}`;

// card is a pipeline: with its details, once they are known, and the answer to
// what was asked for last.
export function card(p, details, answer, all) {
  const id = idOf(p.name);
  return h("section", { class: "card", id, "data-key": p.name, "aria-labelledby": `${id}-name` },
    h("div", { class: "head" },
      h("h2", { id: `${id}-name` }, p.name, " ", badge(p.state)),
      h("p", { class: "soon" }, soon(p, all.now)),
      h("div", { class: "buttons" }, buttons(p, all.actions))),
    answer && h("p", { class: "answer", "data-key": "answer" }, answer),
    trouble(p, all.now),
    progress(p),
    chain(p),
    figures(p, all.now),
    h("details", { class: "more", "data-pipeline": p.name },
      h("summary", null, "Details", h("span", { class: "unseen" }, ` of ${p.name}`)),
      h("div", { class: "sections" }, details ? detail(details, all.now) : h("p", { class: "faint" }, "Not read yet."))));
}

function soon(p, now) {
  if (p.next && p.failing) return `tries again in ${span(since(now, p.next))}`;
  if (p.next) return `next pass in ${span(since(now, p.next))}`;
  if (p.success && !p.running) return `last complete ${span(since(p.success, now))} ago`;
  return "";
}

function buttons(p, actions) {
  if (actions === "forbidden") return [];
  const button = (action, text) => h("button", { type: "button", "data-key": action, "data-action": action, "data-pipeline": p.name }, text, h("span", { class: "unseen" }, ` ${p.name}`));
  if (p.state === "paused") return [button("resume", "Resume")];
  return [!p.running && button("run", "Run now"), button("pause", "Pause")];
}

function trouble(p, now) {
  const wrong = [];
  if (p.failing) {
    const { since: from, failures, error } = p.failing;
    wrong.push(h("div", { class: "notice bad", "data-key": "failing" },
      h("p", null, h("b", null, `Failing for ${span(since(from, now))}`), `, ${plural(failures, "time")} in a row. Each try goes on from the saved state.`),
      h("pre", null, error)));
  }
  if (p.stalled) {
    const { since: from, stage, lane, doing } = p.stalled;
    wrong.push(h("div", { class: "notice warn", "data-key": "stalled" },
      h("p", null, h("b", null, `No progress for ${span(since(from, now))}`), `: ${stage}${lane ? ` of lane ${lane}` : ""} ${doing}.`)));
  }
  return wrong;
}

// progress is how far the pass is. Where nobody knows how much there is, it says
// how much there was.
function progress(p) {
  const { pass } = p;
  if (!pass.number) return h("p", { class: "far" }, h("span", { class: "faint" }, "No pass has begun yet."));
  const counted = !pass.records.uncounted_items;
  const have = pass.records.read + pass.records.created;
  const parts = [h("span", { class: "faint" }, `pass ${pass.number}`)];
  if (counted && have > 0) {
    parts.push(h("span", null, h("b", null, count(have)), pass.expected.records ? ` of ${count(pass.expected.records)} records` : " records"));
  }
  const read = pass.bytes.read;
  if (read > 0) parts.push(h("span", null, h("b", null, size(read)), pass.expected.bytes ? ` of ${size(pass.expected.bytes)} read` : " read"));
  if (pass.bytes.written > 0) parts.push(h("span", null, h("b", null, size(pass.bytes.written)), " written"));
  if (p.running && pass.left !== null) parts.push(h("span", { class: "eta" }, h("b", null, span(pass.left)), " left"));
  const over = !p.running && ["complete", "partial"].includes(p.last);
  const part = over ? 1 : pass.done;
  return h("div", { class: "far" },
    h("p", null, parts),
    part !== null && h("div", { class: "line" },
      h("progress", { class: looks[p.state] ?? "calm", max: 1, value: part, "aria-label": `Pass ${pass.number} of ${p.name}` }),
      h("b", { class: "part" }, percent(part))));
}

// chain is the stages, in order: while a pass is under way, with what they do.
function chain(p) {
  return h("ol", { class: p.running ? "chain moves" : "chain", "aria-label": `Stages of ${p.name}` }, p.stages.map((s) => {
    const busiest = p.running && s.busiest;
    return h("li", { class: busiest ? "busiest" : null, "data-key": s.name },
      h("div", { class: "stage" },
        h("span", { class: "kind" }, s.kind), s.kind !== s.name && h("span", { class: "faint" }, s.name),
        busiest && h("span", { class: "mark" }, "busiest")),
      p.running && [h("p", { class: "rates" }, rates(s)), use(s)]);
  }));
}

function rates(s) {
  const parts = [];
  if (s.records > 0) parts.push(h("span", null, h("b", null, speed(s.records)), " records/s"));
  else parts.push(h("span", null, h("b", null, speed(s.items)), " items/s"));
  if (s.bytes > 0) parts.push(h("span", null, `${size(s.bytes)}/s`));
  return parts;
}

function use(s) {
  const waits = s.sending > s.receiving ? [s.sending, "waits for the next"] : [s.receiving, "waits for input"];
  return h("div", { class: "use" },
    h("progress", { max: 1, value: s.busy, "aria-label": `${s.name} busy` }),
    h("p", null, h("span", null, `${percent(s.busy)} busy`), waits[0] >= 0.05 && h("span", { class: "faint" }, `${percent(waits[0])} ${waits[1]}`)));
}

// figures are what else there is to know at a glance.
function figures(p, now) {
  const { lanes } = p.pass;
  const list = [];
  const add = (name, value, note, look) => list.push(h("div", { "data-key": name, class: look }, h("dt", null, name), h("dd", null, h("b", null, value), note && h("span", null, note))));
  if (p.running) {
    const objects = p.rates.objects_out > 0 && `${speed(p.rates.objects_out)} objects/s`;
    if (p.rates.records_out > 0 || !objects) add("Delivered", `${speed(p.rates.records_out)}/s`, `${size(p.rates.bytes_out)}/s`);
    else add("Delivered", objects, `${size(p.rates.bytes_out)}/s`);
  }
  if (lanes.total > 0) {
    const others = [[lanes.open, "open"], [lanes.waiting, "waiting"], [lanes.failed, "failed"]].filter(([n]) => n > 0);
    add("Lanes", `${lanes.ended} of ${lanes.total}`, others.length ? others.map(([n, word]) => `${n} ${word}`).join(", ") : "ended", lanes.failed > 0 ? "bad" : null);
  }
  if (p.lag.seconds !== null) add("Behind", span(p.lag.seconds), p.lag.records ? plural(p.lag.records, "record") : p.lag.objects ? plural(p.lag.objects, "object") : p.lag.bytes ? size(p.lag.bytes) : null);
  const retries = Object.entries(p.retries).sort((a, b) => b[1] - a[1]);
  add("Retries", count(retries.reduce((n, [, m]) => n + m, 0)), retries.slice(0, 3).map(([cause, n]) => `${count(n)} × ${cause}`).join(", "));
  add("Dead letters", count(p.dead), p.pass.objects.vanished > 0 && `${count(p.pass.objects.vanished)} vanished`, p.dead > 0 ? "warn" : null);
  if (p.hooks_failed > 0) add("Hooks failed", count(p.hooks_failed), null, "warn");
  if (p.saved) add("State saved", span(since(p.saved, now)), "ago");
  return h("dl", { class: "figures" }, list);
}
