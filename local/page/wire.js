/** The requests and answers behind the clicks, newest first. */

import { curl, watch } from "./api.js";
import { by, el, fill, say } from "./dom.js";

const MOST = 12;
const NARROW = matchMedia("(max-width: 64rem)");
const HEADERS = ["Location", "Retry-After", "Idempotent-Replayed", "Allow"];
const shown = []; // {exchange, times, node}

export function start() {
  watch((exchange) => {
    const entry = shown.find((known) => known.exchange === exchange) ?? repeated(exchange) ?? added(exchange);
    draw(entry);
  });
}

/** Bring the newest answer into view. */
export function reveal() {
  const { node } = shown[0];
  node.open = true;
  node.scrollIntoView({ block: "nearest" });
  say("The answer is under Request and answer.");
}

/** What the clock asks again is counted where it was asked first. */
function repeated(exchange) {
  const same = ({ method, path, key }) => [method, path, key].join(" ");
  const entry = exchange.again ? shown.find((known) => known.exchange.answer !== null && same(known.exchange) === same(exchange)) : undefined;
  if (entry === undefined) return undefined;
  entry.exchange = exchange;
  entry.times += 1;
  return entry;
}

function added(exchange) {
  const node = el("details", { name: "exchange" }, el("summary"), el("div"));
  const entry = { exchange, times: 1, node };
  shown.unshift(entry);
  by("exchanges").prepend(node);
  node.open = !NARROW.matches; // the others close: they share a name
  by("wire").classList.add("used");
  while (shown.length > MOST) shown.pop().node.remove();
  return entry;
}

function draw({ exchange, times, node }) {
  const { method, path, answer } = exchange;
  const status = answer === null ? "…" : answer.status || "no answer";
  const kind = answer === null ? "" : answer.ok ? "ok" : "not-ok";
  fill(
    node.querySelector("summary"),
    el("span", { class: "method" }, method),
    el("span", { class: "path" }, path),
    times > 1 && el("span", { class: "times" }, `×${times}`),
    el("span", { class: `status ${kind}` }, String(status)),
  );
  const copy = el("button", { type: "button", class: "copy", onclick: (event) => copied(event.target, curl(exchange)) }, "Copy");
  const request = el("div", { class: "code" }, el("p", {}, "curl", copy), block(`Request: ${method} ${path}`, curl(exchange)));
  if (answer === null) {
    if (times === 1) fill(node.lastChild, request, el("p", { class: "waiting" }, "Waiting for the answer…"));
    return;
  }
  const headers = HEADERS.filter((name) => answer.header(name)).map((name) => `${name}: ${answer.header(name)}`);
  const line = answer.status ? `HTTP ${answer.status} ${answer.statusText} · ${answer.ms} ms` : "No answer: is the system still running?";
  const body = answer.json === null ? answer.text : coloured(JSON.stringify(answer.json, null, 2));
  fill(
    node.lastChild,
    request,
    el("div", { class: "code" }, el("p", {}, line), block(`Answer: ${line}`, headers.length > 0 && [el("span", { class: "head" }, headers.join("\n")), "\n\n"], body)),
  );
}

const block = (label, ...content) => el("pre", { tabindex: "0", role: "region", "aria-label": label }, el("code", {}, ...content));

async function copied(button, text) {
  const done = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Not allowed");
  button.textContent = done;
  say(`${done}.`);
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null/gi;

/** JSON with its parts in spans. */
function coloured(json) {
  const parts = [];
  let at = 0;
  for (const match of json.matchAll(TOKEN)) {
    const [all, text, colon] = match;
    parts.push(json.slice(at, match.index), el("span", { class: text ? (colon ? "key" : "text") : "value" }, text ?? all), colon ?? "");
    at = match.index + all.length;
  }
  return [...parts, json.slice(at)];
}
