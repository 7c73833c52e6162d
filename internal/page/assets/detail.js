// What there is to know of one pipeline.

import { h } from "./dom.js";
import { count, percent, plural, size, since, span, when } from "./format.js";
import { badge, events } from "./parts.js";

// detail is a pipeline's lanes, dead letters, passes, events and configuration.
export function detail(d, now) {
  const dead = d.dead_letters.reasons.length;
  const total = d.pass.lanes.total;
  return [
    section("lanes", "Lanes", total, lanes(d), total > 0),
    section("dead", "Dead letters", d.dead, deadLetters(d, now), dead > 0),
    section("history", "History of passes", d.history.length, history(d, now), false),
    section("events", "Events", d.events.length, events(d.events, now, false), false),
    section("configuration", "Configuration in effect", null, configuration(d), false),
  ];
}

function section(key, title, n, content, open) {
  return h("details", { class: "section", "data-key": key, open },
    h("summary", null, h("h3", null, title), n !== null && h("span", { class: "number" }, count(n))),
    content);
}

function lanes(d) {
  if (d.lane_list.length === 0) return h("p", { class: "faint" }, "The pass has none: there was nothing new.");
  return [
    h("ul", { class: "lanes" }, d.lane_list.map((l) => lane(l, d))),
    d.lanes_omitted > 0 && h("p", { class: "faint" }, `and ${plural(d.lanes_omitted, "more lane")}, which are not listed`),
  ];
}

const laneLooks = { open: "running", failed: "failed", ended: "complete", waiting: "waiting" };

function lane(l, d) {
  const part = l.state === "ended" ? 1 : l.done;
  return h("li", { "data-key": l.name },
    h("span", { class: "name" }, l.name), badge(laneLooks[l.state], l.state),
    h("progress", { class: { failed: "bad", ended: "good", waiting: "calm" }[l.state] ?? "flow", max: 1, value: part ?? 0, "aria-label": `Lane ${l.name}` }),
    h("span", { class: "part" }, part === null ? "" : percent(part)),
    h("p", null, facts(l).map((f) => h("span", null, f))),
    l.error && h("pre", { class: "wrong" }, l.error));
}

function facts(l) {
  const list = [];
  const have = l.records.read + l.records.created;
  if (have > 0 || l.expected.records > 0) list.push(`${count(have)}${l.expected.records ? ` of ${count(l.expected.records)}` : ""} records`);
  if (l.bytes.read > 0 || l.expected.bytes > 0) list.push(`${size(l.bytes.read)}${l.expected.bytes ? ` of ${size(l.expected.bytes)}` : ""} read`);
  if (l.objects.written > 0) list.push(plural(l.objects.written, "object") + " written");
  if (l.state === "open" && l.left !== null) list.push(`${span(l.left)} left`);
  if (l.state === "open" && l.stage) list.push(`${l.stage} is at work`);
  if (l.held > 0) list.push(`${plural(l.held, "item")} not done yet`);
  if (l.records.dead > 0) list.push(`${count(l.records.dead)} dead`);
  if (l.starts > 0) list.push(`started over ${plural(l.starts, "time")}`);
  const { key, token, inner } = l.position;
  if (l.state !== "ended" && (key || token)) list.push(`at ${key ? `${key}${inner ? `, ${inner}` : ""}` : token}`);
  return list;
}

function deadLetters(d, now) {
  const { place, show, replay, reasons } = d.dead_letters;
  if (!place) return h("p", { class: "faint" }, "None are kept: without the option ", h("code", null, "dead_letters"), " the first ends the run.");
  return [
    reasons.length === 0 && h("p", { class: "faint" }, "None in this process."),
    h("ul", { class: "reasons" }, reasons.map((r) => h("li", { "data-key": `${r.stage} ${r.reason}` },
      h("p", null, h("b", { class: "number" }, count(r.count)), h("b", null, r.reason), h("span", { class: "faint" }, `${r.stage}, the last at ${when(r.last, now)}`)),
      example(r.example)))),
    h("p", { class: "faint" }, "Kept in ", h("code", null, place)),
    command("List them", show),
    command("Once the cause is gone, send them again", replay),
  ];
}

function example(e) {
  if (!e) return h("p", { class: "faint" }, "An example is shown to those who may see records: with the token.");
  return [
    h("p", { class: "faint" }, e.line < 0 ? `For example ${e.key}, in lane ${e.lane}:` : `For example record ${count(e.line)} of ${e.key}, in lane ${e.lane}:`),
    h("pre", { class: "wrong" }, e.reason),
    e.record && h("pre", null, e.record),
  ];
}

function command(what, text) {
  if (!text) return null;
  return h("div", { class: "command" }, h("span", { class: "faint" }, what), h("code", null, text),
    navigator.clipboard && h("button", { type: "button", "data-copy": text, "aria-label": `Copy: ${text}` }, "Copy"));
}

function history(d, now) {
  if (d.history.length === 0) return h("p", { class: "faint" }, "No pass has ended yet that moved something.");
  return h("ol", { class: "passes" }, d.history.map((r) => h("li", { "data-key": r.began },
    h("span", { class: "name" }, `Pass ${r.pass}`), badge(r.outcome),
    h("time", { datetime: r.began }, when(r.began, now)),
    h("p", null, outcome(r).map((f) => h("span", null, f))),
    r.error && h("pre", { class: "wrong" }, r.error))));
}

function outcome(r) {
  const list = [`took ${span(r.seconds)}`];
  if (r.tries > 1) list.push(`begun ${plural(r.tries, "time")}`);
  if (!r.records.uncounted_items && r.records.written > 0) list.push(`${count(r.records.written)} records written`);
  if (r.bytes.written > 0) list.push(size(r.bytes.written));
  const { objects } = r;
  if (objects.written > 0) list.push(plural(objects.written, "object"));
  if (objects.deleted > 0) list.push(`${count(objects.deleted)} deleted`);
  if (r.records.dead > 0) list.push(`${count(r.records.dead)} dead`);
  if (objects.vanished > 0) list.push(`${count(objects.vanished)} vanished`);
  if (r.lanes.ended < r.lanes.total) list.push(`${count(r.lanes.ended)} of ${count(r.lanes.total)} lanes ended`);
  const retries = Object.values(r.retries).reduce((n, m) => n + m, 0);
  if (retries > 0) list.push(plural(retries, "retry", "retries"));
  return list;
}

function configuration(d) {
  return [
    d.notes.length > 0 && h("ul", { class: "notes" }, d.notes.map((n) => h("li", null, n))),
    h("pre", null, d.configuration),
  ];
}
