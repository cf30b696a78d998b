/** The requests and answers behind the clicks, newest first. */

import { curl, watch } from "./api.js";
import { by, el, fill, say } from "./dom.js";

const MOST = 12;
const HEADERS = ["Location", "Retry-After", "Idempotent-Replayed", "Allow"];
const shown = []; // {exchange, times, node}

export function start() {
  watch((exchange) => {
    const entry = shown.find((known) => known.exchange === exchange) ?? repeated(exchange) ?? added(exchange);
    draw(entry);
  });
}

/** A request that is the same as the one before it is one entry, counted. */
function repeated(exchange) {
  const last = shown[0];
  const same = ({ method, path, key, body }) => [method, path, key, JSON.stringify(body)].join(" ");
  if (last === undefined || last.exchange.answer === null || same(last.exchange) !== same(exchange)) return undefined;
  last.exchange = exchange;
  last.times += 1;
  return last;
}

function added(exchange) {
  const node = el("details", { name: "exchange", open: true }, el("summary"), el("div"));
  const entry = { exchange, times: 1, node };
  shown.unshift(entry);
  by("exchanges").prepend(node);
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
  const request = block(`Request: ${method} ${path}`, curl(exchange));
  if (answer === null) {
    if (times === 1) fill(node.lastChild, el("div", { class: "code" }, copy, request), el("p", { class: "waiting" }, "Waiting for the answer…"));
    return;
  }
  const headers = HEADERS.filter((name) => answer.header(name)).map((name) => `${name}: ${answer.header(name)}`);
  const line = answer.status ? `HTTP ${answer.status} ${answer.statusText} · ${answer.ms} ms` : "No answer: is the system still running?";
  const body = answer.json === null ? answer.text : coloured(JSON.stringify(answer.json, null, 2));
  fill(
    node.lastChild,
    el("div", { class: "code" }, copy, request),
    el("div", { class: "code" }, block(`Answer: ${line}`, el("span", { class: "head" }, [line, ...headers].join("\n")), "\n\n", body)),
  );
}

const block = (label, ...content) => el("pre", { tabindex: "0", role: "region", "aria-label": label }, el("code", {}, ...content));

async function copied(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  say("Copied.");
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
