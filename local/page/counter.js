/** The form: a service, whom for, how much; what the supplier confirms; and the button that buys. */

import { ask } from "./api.js";
import { Attempt } from "./attempt.js";
import { by, el, fill, say } from "./dom.js";
import { look, show } from "./outcome.js";
import { cents, rand, time } from "./words.js";

const PREVENDED = { utility: "Check meter", "bill-payment": "Check account" };
const FIELDS = { merchantProductId: "product", meterNumber: "meter", accountNumber: "account", mobileNumber: "mobile", amountCents: "amount" };

const catalogues = new Map(); // service -> its products
let confirmed = null; // the attempt that waits for its yes

export function start() {
  const form = by("counter");
  form.addEventListener("change", ({ target }) => target.name === "service" && choose());
  form.addEventListener("input", forget);
  by("product").addEventListener("change", fit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  by("pay").addEventListener("click", pay);
  by("change").addEventListener("click", () => {
    forget();
    by("amount").focus();
  });
  choose();
}

const service = () => new FormData(by("counter")).get("service");
const product = () => (catalogues.get(service()) ?? []).find((known) => known.merchantProductId === by("product").value);

async function choose() {
  forget();
  faults([]);
  const chosen = service();
  fill(by("product"));
  fit();
  if (chosen === "utility") return undefined;
  if (!catalogues.has(chosen)) {
    const answer = await ask("GET", `/prevend/${chosen}/products`);
    if (!answer.ok) return say("The catalogue did not come.");
    catalogues.set(chosen, answer.json.products);
  }
  if (service() !== chosen) return undefined; // another was chosen meanwhile
  fill(by("product"), ...options(catalogues.get(chosen)));
  return fit();
}

function options(products) {
  const groups = new Map();
  for (const each of products) {
    const scenario = each.name.startsWith("Simulated: ");
    const group = scenario ? "Scenarios" : each.pinned ? "As a PIN" : "Products";
    groups.set(group, [...(groups.get(group) ?? []), el("option", { value: each.merchantProductId }, `${each.name}, ${price(each)}${scenario && each.pinned ? ", PIN" : ""}`)]);
  }
  return groups.size === 1 ? [...groups.values()].flat() : [...groups].map(([label, members]) => el("optgroup", { label }, members));
}

const price = ({ fixedAmount, amountCents, minimumAmountCents, maximumAmountCents }) =>
  fixedAmount ? rand(amountCents) : `${rand(minimumAmountCents)} to ${rand(maximumAmountCents)}`;

/** Show the fields that the service and the product ask for. */
function fit() {
  const chosen = service();
  const sold = product();
  const shown = {
    merchantProductId: chosen !== "utility",
    meterNumber: chosen === "utility",
    accountNumber: chosen === "bill-payment",
    mobileNumber: (chosen === "airtime" || chosen === "data") && !sold?.pinned,
    amountCents: true,
  };
  for (const [field, on] of Object.entries(shown)) document.querySelector(`[data-field=${field}]`).hidden = !on;
  const amount = by("amount");
  amount.readOnly = Boolean(sold?.fixedAmount);
  if (sold?.fixedAmount) amount.value = (sold.amountCents / 100).toFixed(2);
  by("amount-hint").textContent = sold?.fixedAmount ? "the product’s price" : "sent as integer cents";
  by("counter").querySelector("[type=submit]").textContent = PREVENDED[chosen] ?? "Buy";
}

/** The request as it is typed. What is wrong with a number, the API says; an amount that has no cents cannot even be asked. */
function wanted() {
  const amountCents = cents(by("amount").value);
  if (amountCents === null) return null;
  const sold = product();
  switch (service()) {
    case "utility":
      return { meterNumber: by("meter").value, amountCents };
    case "bill-payment":
      return { accountNumber: by("account").value, amountCents, merchantProductId: by("product").value };
    case "voucher":
      return { merchantProductId: by("product").value, amountCents };
    default:
      return { merchantProductId: by("product").value, amountCents, ...(sold?.pinned ? { pinned: true } : { mobileNumber: by("mobile").value }) };
  }
}

async function submit() {
  forget();
  faults([]);
  const body = wanted();
  if (body === null) return faults([{ field: "amountCents", message: "Rand and cents, such as 100 or 99.50" }]);
  const attempt = new Attempt({ vasType: service(), prevended: service() in PREVENDED, body });
  await once(by("counter").querySelector("[type=submit]"), async () => {
    if (!attempt.prevended) {
      show(attempt);
      focusOutcome();
      return attempt.buy();
    }
    await attempt.confirm();
    if (attempt.phase === "confirmed") return ready(attempt);
    return undefined;
  });
  if (attempt.phase === "refused") {
    show(attempt);
    if (!faults(attempt.problem.errors ?? [])) look();
  }
}

/** What the supplier says of the meter or account, and the button that buys. */
function ready(attempt) {
  confirmed = attempt;
  show(attempt);
  const { consumer, minimumAmountCents, amountDueCents, amountCents, expiresAt } = attempt.prevend;
  const rows = [
    ["Consumer", consumer?.name ?? "not said"],
    ["Address", consumer?.address ?? "not said"],
    ["Minimum", minimumAmountCents === null ? "none said" : rand(minimumAmountCents)],
    ["Arrears", amountDueCents === null ? "none said" : rand(amountDueCents)],
    ["Good until", time(expiresAt)],
  ];
  const below = minimumAmountCents !== null && amountCents < minimumAmountCents;
  fill(
    by("confirmed"),
    ...rows.map(([label, value]) => el("div", { class: label === "Minimum" && below ? "bad" : "" }, el("dt", {}, label), el("dd", {}, value))),
  );
  by("pay").textContent = below ? `Buy for ${rand(amountCents)}, below the minimum` : `Buy for ${rand(amountCents)}`;
  by("confirmation").hidden = false;
  by("pay").focus();
  say(`Confirmed. ${rows.map(([label, value]) => `${label}: ${value}`).join(". ")}.`);
}

async function pay() {
  const attempt = confirmed;
  forget();
  show(attempt);
  focusOutcome();
  await attempt.buy();
}

function forget() {
  confirmed = null;
  by("confirmation").hidden = true;
}

function focusOutcome() {
  by("outcome-title").focus({ preventScroll: true });
  look();
}

/** Say under each field what is wrong with it; whether there was such a field. */
function faults(errors) {
  for (const [field, id] of Object.entries(FIELDS)) {
    const messages = errors.filter((error) => error.field === field).map(({ message }) => message);
    by(`${id}-fault`).textContent = messages.join("; ");
    by(id).toggleAttribute("aria-invalid", messages.length > 0);
    if (messages.length > 0) by(id).setAttribute("aria-invalid", "true");
  }
  const first = document.querySelector("#counter [aria-invalid=true]");
  first?.focus();
  return first !== null;
}

async function once(button, work) {
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
  }
}
