/** Today's settlement with the supplier's file, and what it finds. */

import { ask } from "./api.js";
import { by, el, fill, say } from "./dom.js";
import { rand } from "./words.js";

export function start({ plants, kinds, statuses }) {
  by("settlement").querySelector("fieldset").append(
    ...plants.map(({ plant, says }) => el("label", {}, el("input", { type: "checkbox", name: "plant", value: plant }), el("span", {}, says))),
  );
  by("settlement").addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = new URLSearchParams(new FormData(event.target)).toString();
    const answer = await ask("POST", `/local/settle${chosen && `?${chosen}`}`);
    draw(answer, kinds, statuses);
  });
}

function draw(answer, kinds, statuses) {
  if (!answer.ok) {
    const why = answer.json?.detail ?? (answer.text.trim() || "No answer. Is the system still running?");
    fill(by("settled"), el("p", { class: "note warn" }, `Not settled: ${why}`));
    return say(`Not settled: ${why}`);
  }
  const day = answer.json.days[0];
  const found = day.discrepancies;
  const open = found.filter(({ status }) => status === "open").length;
  const closed = found.length > open ? ` open, ${found.length - open} closed` : "";
  const differences = `${open === 1 ? "One difference" : open === 0 ? "No difference" : `${open} differences`}${closed}`;
  fill(
    by("settled"),
    el("p", { class: "headline" }, el("span", { class: `tag ${day.status}` }, statuses[day.status]), el("span", {}, `${differences}.`)),
    el("dl", { class: "figures" },
      figure("Billed by the file", day.file),
      figure("Matched", day.matched),
      el("div", { class: open > 0 ? "bad" : "" }, el("dt", {}, "Open differences"), el("dd", {}, String(open)))),
    found.length > 0 && el("ul", { class: "found" }, found.map((each) => el("li", {}, difference(each, kinds)))),
    day.status === "provisional" && el("p", {}, "Today is provisional: what this file does not bill, tomorrow’s still may."),
    day.healed.length > 0 && el("p", {}, `The file ended ${day.healed.length === 1 ? "one doubt" : `${day.healed.length} doubts`}.`),
    el("p", { class: "do" }, el("a", { class: "button", href: answer.json.report, target: "_blank", rel: "noopener" }, "Open the report")),
  );
  return say(`Settled: ${differences.toLowerCase()}. ${rand(day.matched.totalCents)} matched.`);
}

const figure = (label, { rows, totalCents }) =>
  el("div", {}, el("dt", {}, label), el("dd", {}, rand(totalCents), el("small", {}, `${rows} ${rows === 1 ? "line" : "lines"}`)));

function difference({ kind, severity, status, ours, theirs }, kinds) {
  const amount = (side) => (side === null ? "nothing" : side.amountCents === undefined || side.amountCents === null ? "–" : rand(side.amountCents));
  return [
    el("b", {}, kinds[kind]), " ", status === "open" ? el("span", { class: `tag ${severity}` }, severity) : el("span", { class: "tag closed" }, status), " ", el("code", {}, kind),
    el("small", {}, `ours ${amount(ours)}, theirs ${amount(theirs)}`),
  ];
}
