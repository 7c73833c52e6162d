// What the overview and the details have in common.

import { h } from "./dom.js";
import { plural, when } from "./format.js";

// looks is how a state looks: by the class of its colour.
export const looks = {
  running: "flow", complete: "good", failing: "bad", failed: "bad",
  stalled: "warn", partial: "warn", stopped: "warn", paused: "warn",
};

// badge is a word in the colour of a state.
export const badge = (state, text = state) => h("span", { class: `badge ${looks[state] ?? "calm"}` }, text);

// said are the values of an event that say something: nothing happened 0 times.
const said = (values) => Object.entries(values).filter(([, value]) => value !== 0 && value !== "");

// events are lines of the log. everybody: of all pipelines, which are named.
export function events(list, now, everybody) {
  if (list.length === 0) return h("p", { class: "faint" }, "None.");
  return h("ul", { class: "events" }, list.map((e) => h("li", { class: e.level },
    h("time", { datetime: e.time }, when(e.time, now)),
    h("span", { class: "level" }, e.level),
    h("div", null,
      h("p", null, everybody && e.pipeline && [h("b", null, e.pipeline), " "], e.message, e.repeated > 0 && h("span", { class: "faint" }, ` and ${plural(e.repeated, "more time")}`)),
      said(e.values).length > 0 && h("p", { class: "values" }, said(e.values).map(([name, value]) => h("span", null, h("span", { class: "faint" }, `${name} `), String(value))))))));
}
