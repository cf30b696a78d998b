/** What became of the purchase that was clicked last: its state, the wallet, the slip or the problem, and the story so far. */

import { ask } from "./api.js";
import { Attempt } from "./attempt.js";
import { by, el, fill } from "./dom.js";
import { blank, slip } from "./slip.js";
import { reveal } from "./wire.js";
import { SERVICES, STATES, WALLET, advice, rand, recipient } from "./words.js";

const NARROW = matchMedia("(max-width: 64rem)");

const attempts = new Map(); // by sale, those that were made here: their keys are known
let current = null;
let printed = null; // what is on the paper, so that it is not printed again
let onChange = () => {};

/** `changed(attempt)` is called whenever any attempt moves. */
export function start(changed) {
  onChange = changed;
  by("again").addEventListener("click", () => current.send());
  by("ask").addEventListener("click", () => current.read().then(reveal));
  by("dossier").addEventListener("click", () => ask("GET", `/reconcile/transactions/${saleOf(current)}`).then(reveal));
  by("other").addEventListener("click", () => open(current.problem.transactionId));
  by("insist").addEventListener("click", () => {
    const { vasType, prevended, wanted } = current;
    run(new Attempt({ vasType, prevended, body: wanted, insist: true }));
  });
  setInterval(tick, 500);
}

/** Show an attempt, now and whenever it moves, until another is shown. */
export function show(attempt) {
  attempt.changed = moved;
  current = attempt;
  moved(attempt);
}

/** Show an attempt, and take it all the way: confirm, where the service has that, and buy. */
export async function run(attempt) {
  show(attempt);
  look();
  if (attempt.prevended) await attempt.confirm();
  if (attempt.phase !== "refused") await attempt.buy();
}

/** Show a sale that is on record. */
export async function open(saleId) {
  const answer = await ask("GET", `/purchase/transactions/${saleId}`);
  if (!answer.ok) return;
  show(attempts.get(saleId) ?? Attempt.of(answer.json));
  look();
}

/** Bring the outcome into view: it may be scrolled away, or not be beside what was clicked. */
export function look() {
  by("outcome").parentElement.scrollTop = 0;
  if (NARROW.matches) by("outcome").scrollIntoView({ block: "start" });
}

function moved(attempt) {
  if (attempt.key !== null && saleOf(attempt) !== null) attempts.set(saleOf(attempt), attempt);
  if (attempt === current) draw(attempt);
  onChange(attempt);
}

function draw(attempt) {
  const { phase, problem, sale } = attempt;
  fill(by("state"), headline(attempt), ...(phase === "refused" || attempt.phase === "confirming" ? [] : [wallet(attempt)]), ...words(attempt));
  print(phase, sale);
  fill(by("story"), ...attempt.story.map(line));
  const known = saleOf(attempt) !== null;
  const elsewhere = problem?.transactionId !== undefined && problem.transactionId !== saleOf(attempt);
  by("after").hidden = !known && phase !== "vending" && phase !== "unknown";
  by("again").hidden = attempt.key === null || phase === "refused";
  by("ask").hidden = by("dossier").hidden = !known;
  by("other").hidden = !elsewhere;
  by("insist").hidden = problem?.type !== "/problems/possible-duplicate" || attempt.key === null;
  tick();
}

/** The sale's id, which a rejection says in its `instance`. */
const saleOf = ({ saleId, problem }) => saleId ?? problem?.instance?.split("/").at(-1) ?? null;

function headline({ phase, vasType, amountCents, sale, wanted }) {
  const to = recipient(sale ?? wanted);
  return el("p", { class: "headline" },
    el("span", { class: `tag ${phase}` }, STATES[phase] ?? (phase === "confirming" ? "Checking" : "Confirmed")),
    el("span", {}, `${SERVICES[vasType]} `, el("b", {}, rand(amountCents)), to === "PIN" ? "" : ` to ${to}`),
  );
}

const wallet = ({ phase, amountCents }) =>
  el("dl", { class: `wallet ${WALLET[phase] ?? ""}` }, el("div", {}, el("dt", {}, "Wallet"), el("dd", {}, `${rand(amountCents)} `, el("b", {}, WALLET[phase] ?? "not touched"))));

function words({ phase, problem, replayed, healed, sale, prevended, key }) {
  switch (phase) {
    case "confirming":
      return [el("p", {}, "Waiting for the supplier. ", el("span", { class: "clock" }))];
    case "vending":
      return [el("p", {}, "On record, then sent. Waiting for the supplier. ", el("span", { class: "clock" }))];
    case "in_doubt":
      return [el("p", {}, "It may have vended. The money stays held, nothing is sent to the supplier twice, and the sweep looks for evidence. ", el("span", { class: "clock" }))];
    case "unknown":
      return [...(problem ? [card(problem, true)] : []), el("p", {}, "An answer without a state says nothing about the sale. ", el("span", { class: "clock" }))];
    case "vended":
      if (sale.receipt.tokensDue === "pending") return [el("p", {}, "It vended, and its token is being fetched. ", el("span", { class: "clock" }))];
      if (replayed) return [el("p", {}, "The same key gives the same sale. Nothing more was vended.")];
      return healed ? [el("p", {}, "The supplier’s own record ended the doubt. It vended once.")] : [];
    case "rejected":
    case "refused":
      return [card(problem, phase === "rejected" || !prevended || key === null)];
    default:
      return [];
  }
}

/** A problem as people should see it. */
function card(problem, sold) {
  const fields = problem.errors ?? [];
  return el("div", { class: "problem" },
    el("h3", {}, problem.type ? el("a", { href: problem.type, target: "_blank", rel: "noopener" }, problem.title) : problem.title),
    el("p", {}, problem.detail),
    fields.length > 0 && el("ul", {}, fields.map(({ field, message }) => el("li", {}, field && el("code", {}, field), ` ${message}`))),
    el("p", { class: "advice" }, el("code", {}, `retry: ${problem.retry}`), ` ${advice(problem, sold)}`),
  );
}

function print(phase, sale) {
  const wanted = phase === "vended" ? `${sale.transactionId} ${sale.version}` : phase;
  if (wanted === printed) return;
  printed = wanted;
  const paper = by("paper");
  if (phase === "vended") fill(paper, slip(sale));
  else if (phase === "rejected" || phase === "refused") fill(paper);
  else fill(paper, blank(phase === "in_doubt" ? "No slip while it is in doubt" : "The slip is not printed yet"));
}

const line = ({ seconds, words: said, times }) =>
  el("li", {}, el("span", { class: "at" }, seconds < 600 ? `${seconds.toFixed(1)} s` : "later"), el("span", {}, said, times > 1 && el("small", {}, ` ×${times}`)));

/** The seconds that pass. */
function tick() {
  const clock = by("state").querySelector(".clock");
  if (clock === null) return;
  const seconds = Math.round((current.askAt === null ? Date.now() - current.startedAt : current.askAt - Date.now()) / 1000);
  clock.textContent = current.askAt === null ? `${Math.max(0, seconds)} s` : seconds > 0 ? `Asking again in ${seconds} s.` : "Asking again.";
}
