/** What the simulated supplier can be made to do, to be clicked. */

import { Attempt } from "./attempt.js";
import { by, el, fill, marked, say } from "./dom.js";
import { run } from "./outcome.js";
import { ENDS, rand } from "./words.js";

const MOST_AT_ONCE = 3; // a browser keeps six connections to a host, and the page has to go on looking

const running = new Set();

export function start({ services, groups }) {
  fill(by("as"), ...services.map(({ service, name }) => el("option", { value: service }, name)));
  by("as").addEventListener("change", () => draw(groups));
  draw(groups);
}

function draw(groups) {
  const service = by("as").value;
  const open = new Set([...by("groups").querySelectorAll("details[open]")].map((each) => each.dataset.title));
  const all = groups.flatMap(({ scenarios }) => scenarios);
  const playable = groups.map(({ title, scenarios }) => ({ title, scenarios: scenarios.filter(({ requests }) => service in requests) }));
  const count = playable.reduce((sum, { scenarios }) => sum + scenarios.length, 0);
  by("scenario-count").textContent = count === all.length ? `${count}` : `${count} of ${all.length}`;
  fill(
    by("groups"),
    ...playable.filter(({ scenarios }) => scenarios.length > 0).map(({ title, scenarios }, at) =>
      el("details", { "data-title": title, open: open.size > 0 ? open.has(title) : at === 0 },
        el("summary", {}, el("h3", {}, title), el("span", { class: "count", "aria-hidden": "true" }, `${scenarios.length}`)),
        el("ul", {}, scenarios.map((scenario) => el("li", {}, button(scenario, service)))))),
  );
}

function button(scenario, service) {
  const [kind, words] = ENDS[scenario.ends];
  const { body } = scenario.requests[service];
  return el("button", { type: "button", class: "scenario", "data-scenario": scenario.name, onclick: () => play(scenario.requests[service]) },
    el("span", { class: "name" }, scenario.name),
    el("span", { class: "what" }, ...marked(scenario.says)),
    el("span", { class: "end" },
      el("span", { class: `tag ${kind}` }, words),
      body.amountCents !== 10_000 && el("small", {}, rand(body.amountCents)),
      scenario.seconds > 0 && el("small", {}, `takes ${scenario.seconds} s`),
      scenario.pauses > 0 && el("small", {}, `pauses all selling for ${scenario.pauses} s`)),
  );
}

async function play({ vasType, prevend, body }) {
  const crowded = running.size >= MOST_AT_ONCE ? "Three sales are still waiting for the supplier: let one of them end." : "";
  by("crowded").textContent = crowded;
  if (crowded !== "") return say(crowded);
  const attempt = new Attempt({ vasType, prevended: prevend, body });
  running.add(attempt);
  try {
    await run(attempt);
  } finally {
    running.delete(attempt);
    by("crowded").textContent = "";
  }
  return undefined;
}
