/** The day's sales as they change, and the brake. Looks every few seconds, as long as somebody looks at the page. */

import { ask } from "./api.js";
import { by, el, fill, say } from "./dom.js";
import { open } from "./outcome.js";
import { SERVICES, STATES, rand, recipient, time, today } from "./words.js";

const SECONDS = 3;
const MOST_PAGES = 5;
const FEW = 8;

const known = new Map(); // id -> {sale, row}
let all = false;
let more = false; // than were asked for
let looking = null;
let missed = false;
let pausedUntil = null; // when the pause ends, in milliseconds; `null`: when somebody releases it
let ending = null;

export function start() {
  by("sweep").addEventListener("click", async () => {
    const { ok, json } = await ask("POST", "/reconcile/sweep");
    if (ok) say(`Swept: ${json.examined} examined, ${json.vended} vended, ${json.rejected} rejected, ${json.stillInDoubt} still in doubt.`);
    look();
  });
  by("more-sales").firstChild.addEventListener("click", () => {
    all = true;
    draw();
  });
  by("brake").querySelector("button").addEventListener("click", release);
  document.addEventListener("visibilitychange", look);
  setInterval(look, SECONDS * 1000);
  setInterval(count, 500);
  look();
}

/** Look now, or once more when the look that is under way has ended: it may have missed what just happened. */
export function look() {
  if (document.hidden) return;
  missed = looking !== null;
  looking ??= Promise.all([sales(), brake()]).finally(() => {
    looking = null;
    if (missed) look();
  });
}

async function sales() {
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await ask("GET", `/purchase/transactions?day=${today()}${cursor === null ? "" : `&cursor=${cursor}`}`, { quiet: true });
    if (!answer.ok) return;
    answer.json.transactions.forEach(keep);
    cursor = answer.json.cursor;
    if (cursor === null) break;
  }
  more = cursor !== null;
  draw();
}

/** Show a sale as it is now known, whoever asked. */
export function keep(sale) {
  const held = known.get(sale.transactionId);
  if (held?.sale.version === sale.version && held.sale.state === sale.state) return;
  const row = held?.row ?? el("tr", { role: "row" });
  const to = recipient(sale);
  const shown = row.querySelector("button") ?? el("button", { type: "button", class: "quiet small", onclick: () => open(sale.transactionId) });
  shown.textContent = sale.state === "vended" ? "Slip" : "Show";
  shown.setAttribute("aria-label", `${shown.textContent}: ${SERVICES[sale.vasType]} ${rand(sale.amountCents)} at ${time(sale.createdAt)}`);
  const cells = [
    el("td", { role: "cell", class: "at" }, time(sale.createdAt)),
    el("td", { role: "cell", class: "sale" }, SERVICES[sale.vasType], el("small", {}, to === "PIN" ? sale.merchantProductId : to)),
    el("td", { role: "cell", class: "number" }, rand(sale.amountCents)),
    el("td", { role: "cell" }, el("span", { class: `tag ${sale.state}` }, STATES[sale.state]), sale.receipt?.tokensDue === "pending" && el("small", {}, "token to follow")),
  ];
  if (held === undefined) row.append(...cells, el("td", { role: "cell" }, shown));
  else cells.forEach((cell, at) => row.children[at].replaceWith(cell)); // the button stays, and the focus with it
  if (held && held.sale.state !== sale.state) row.classList.add("changed");
  known.set(sale.transactionId, { sale, row });
}

function draw() {
  const newest = [...known.values()].sort((one, other) => other.sale.createdAt.localeCompare(one.sale.createdAt));
  const shown = all ? newest : newest.slice(0, FEW);
  const body = by("sales").tBodies[0];
  shown.forEach(({ row }, at) => body.rows[at] !== row && body.insertBefore(row, body.rows[at] ?? null));
  while (body.rows.length > shown.length) body.rows[body.rows.length - 1].remove();
  const doubts = newest.filter(({ sale }) => sale.state === "in_doubt").length;
  by("today-count").textContent = `${more ? "more than " : ""}${newest.length} ${newest.length === 1 ? "sale" : "sales"}${doubts ? `, ${doubts} in doubt` : ""}`;
  by("sales").hidden = newest.length === 0;
  by("none-today").hidden = newest.length > 0;
  by("more-sales").hidden = shown.length === newest.length;
  by("more-sales").firstChild.textContent = `Show all ${newest.length}`;
}

async function brake() {
  const { ok, json } = await ask("GET", "/reconcile/selling", { quiet: true });
  if (!ok) return;
  const note = by("brake");
  const was = !note.hidden;
  note.hidden = json.paused.length === 0;
  clearTimeout(ending);
  pausedUntil = json.until === null ? null : Date.parse(json.until);
  if (note.hidden) {
    if (was) say("Selling again.");
    return;
  }
  const services = json.paused.length === Object.keys(SERVICES).length ? "Everything" : json.paused.map((name) => SERVICES[name]).join(", ");
  const words = `${services} is paused${json.until ? ` until ${time(json.until)}` : ""}: ${json.reason}.`;
  if (note.dataset.words !== words) {
    note.dataset.words = words;
    fill(note.querySelector("p"), words, " ", el("span", { class: "left" }));
    say(words);
  }
  count();
  const left = pausedUntil === null ? Infinity : pausedUntil - Date.now();
  if (left < SECONDS * 1000) ending = setTimeout(look, Math.max(0, left) + 100); // seen to end when it ends
}

/** The seconds that a pause still lasts. */
function count() {
  const left = by("brake").querySelector(".left");
  if (left !== null) left.textContent = pausedUntil === null ? "" : `Selling again in ${Math.max(0, Math.ceil((pausedUntil - Date.now()) / 1000))} s.`;
}

async function release() {
  const { ok } = await ask("POST", "/reconcile/selling", { body: { paused: [], reason: "Released on the local page" } });
  if (ok) look();
}
