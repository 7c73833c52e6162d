// The page asks the API what pipelines do, again and again, and shows it.

import { fill, h } from "./dom.js";
import { card, links, notices, process } from "./overview.js";
import { events } from "./parts.js";

const often = 2000; // milliseconds
const place = (id) => document.getElementById(id);

let last = null; // what was answered last
let silent = null; // since when nobody answers
let token = "";
const details = new Map(); // of the pipelines that are unfolded, by name
const words = new Map(); // what was last said of each pipeline
const answers = new Map(); // to what was asked for, by name

async function get(path) {
  const answer = await fetch(path, { cache: "no-store", headers: authorization(), signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

const pathOf = (name) => `/api/v1/pipelines/${encodeURIComponent(name)}`;

async function look() {
  try {
    const [now] = await Promise.all([get("/api/v1/pipelines"), ...[...details.keys()].map(lookInto)]);
    last = now;
    silent = null;
  } catch (error) {
    silent ??= { since: Date.now() };
    silent.error = String(error.message ?? error);
  }
  show();
}

async function lookInto(name) {
  try {
    details.set(name, await get(pathOf(name)));
  } catch (error) {
    details.set(name, null); // it may be gone; the list says so
  }
}

function show() {
  fill(place("notices"), ...notices(last, silent));
  document.body.classList.toggle("old", silent !== null);
  if (!last) return;
  fill(place("process"), ...process(last));
  fill(place("overview"), ...links(last.pipelines));
  fill(place("pipelines"), ...last.pipelines.map((p) => card(p, details.get(p.name), answers.get(p.name), last)));
  fill(place("events-list"), events(last.events, last.now, true));
  place("events").hidden = false;
  fill(place("hint"), hint(last.actions));
  if (last.pipelines.length === 1) unfoldOnce(last.pipelines[0].name);
  title(last.pipelines);
  tell(last.pipelines);
}

// hint says what else could be done here.
function hint(actions) {
  if (actions === "forbidden") return h("span", null, "Read only: with the option ", h("code", null, "http_token"), " pipelines can be paused and run from here.");
  if (actions === "token" && !token) return h("button", { type: "button", "data-token": true }, "Enter the token");
  return "";
}

let unfolded = false;
function unfoldOnce() {
  if (unfolded) return;
  unfolded = true;
  document.querySelector("details.more").open = true;
}

const troubled = ["failing", "stalled", "failed"];

function title(pipelines) {
  const trouble = pipelines.filter((p) => troubled.includes(p.state));
  document.title = trouble.length ? `(${trouble.length}) ${trouble[0].name} is ${trouble[0].state} · Sluice` : "Sluice";
}

// tell tells a screen reader what has changed, and no more.
function tell(pipelines) {
  const news = pipelines.filter((p) => words.has(p.name) && words.get(p.name) !== p.state);
  pipelines.forEach((p) => words.set(p.name, p.state));
  if (news.length) say(news.map((p) => `${p.name}: ${p.state}`).join(", "));
}

const say = (text) => (place("said").textContent = text);

async function act(button) {
  const { action, pipeline } = button.dataset;
  if (last.actions === "token" && !token && !(await askForToken(""))) return;
  let text;
  try {
    let answer = await post(action, pipeline);
    while (answer.status === 401) {
      token = "";
      if (!(await askForToken("This token is not the right one."))) return;
      answer = await post(action, pipeline);
    }
    text = answer.ok ? done[action] : await reason(answer);
  } catch (error) {
    text = `Not done: ${error.message}`;
  }
  answers.set(pipeline, text);
  say(`${pipeline}: ${text}`);
  setTimeout(() => answers.get(pipeline) === text && answers.delete(pipeline), 8000);
  look();
}

const done = {
  pause: "Pauses: what has been read is delivered first.",
  resume: "Goes on.",
  run: "The next pass begins now.",
};

function post(action, pipeline) {
  return fetch(`${pathOf(pipeline)}/${action}`, { method: "POST", headers: { "X-Sluice": "1", ...authorization() } });
}

async function reason(answer) {
  const { error } = await answer.json().catch(() => ({}));
  return `Not done: ${error ?? `${answer.status} ${answer.statusText}`}`;
}

// askForToken is whether there is one then.
function askForToken(wrong) {
  const dialog = place("token");
  const text = place("token-text");
  place("token-error").textContent = wrong;
  text.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "use") token = text.value;
      text.value = "";
      resolve(token !== "");
    }, { once: true });
  });
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  say("Copied.");
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.action) act(button);
  if (button?.dataset.copy) copy(button);
  if (button && "token" in button.dataset) askForToken("").then(look);
});

// What is unfolded is looked into, and only that.
document.addEventListener("toggle", async (event) => {
  if (!event.target.matches?.("details.more")) return;
  const { pipeline } = event.target.dataset;
  if (!event.target.open) return details.delete(pipeline);
  details.set(pipeline, null);
  await lookInto(pipeline);
  show();
}, true);

async function follow() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => {
      setTimeout(resolve, often);
      document.addEventListener("visibilitychange", resolve, { once: true });
    });
  }
}

follow();
