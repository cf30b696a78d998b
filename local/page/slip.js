/** The receipt of a sale as a till prints it; `local/slip.py` is the same for a terminal. */

import { el } from "./dom.js";
import { grouped, moment, rand, recipient } from "./words.js";

const TITLES = { utility: "Prepaid electricity", "bill-payment": "Bill payment", airtime: "Airtime", data: "Data", voucher: "Voucher" };
const TOKENS = {
  key_change: "Key change token", free: "Free units token", credit: "Credit token", refund: "Refund token", other: "Token",
};

/** A vended sale on paper. */
export function slip(sale) {
  const { receipt } = sale;
  return el("article", { class: "slip", "aria-label": "Till slip" },
    sale.simulated && el("p", { class: "stamp" }, "SIMULATED", el("span", {}, "no value")),
    el("h3", {}, TITLES[sale.vasType]),
    el("p", { class: "when" }, moment(sale.createdAt)),
    pairs([
      ["Meter", sale.meterNumber], ["Account", sale.accountNumber], ["Number", sale.mobileNumber],
      ["Name", receipt.consumer?.name], ["Address", receipt.consumer?.address],
    ]),
    pairs([
      ...receipt.charges.map((charge) => [charge.description ?? "Charge", charge.amountCents === null ? "" : rand(charge.amountCents)]),
      ["Units", receipt.units && `${receipt.units} ${unit(receipt.unitType)}`],
    ]),
    el("dl", { class: "total" }, pair("Total", rand(sale.amountCents))),
    typed(receipt),
    pairs([["Serial", receipt.serialNumber && grouped(receipt.serialNumber)], ["Use by", receipt.expiryDate?.slice(0, 10)]]),
    receipt.instructions && el("p", { class: "tell" }, receipt.instructions),
    receipt.meter && el("p", { class: "small" }, settings(receipt.meter)),
    pairs([["Receipt", receipt.receiptNumber], ["Ref", receipt.reference], ["Sale", sale.transactionId]], "small"),
  );
}

/** Paper that has not been printed on yet. */
export const blank = (words) => el("div", { class: "slip blank", role: "img", "aria-label": words }, el("i"), el("i"), el("i"), el("i"));

function typed({ tokens, pin, tokensDue }) {
  if (tokensDue === "pending") return el("div", { class: "token" }, el("h4", {}, "Token to follow"), el("p", {}, "It is being fetched."));
  const many = tokens.length > 1;
  const all = tokens.map((token, at) => one(`${many ? `${at + 1} of ${tokens.length}  ` : ""}${TOKENS[token.kind]}`, token.number, many && token.units));
  if (pin !== null) all.push(one("PIN", pin));
  return all.length > 0 && el("div", { class: "typed" }, all);
}

const one = (title, digits, units) =>
  el("div", { class: "token" }, el("h4", {}, title), el("p", { class: "digits" }, ...groups(digits)), units && el("p", {}, `${units} kWh`));

/** Each group stays whole when the paper is narrow. */
const groups = (digits) => grouped(digits).split(" ").flatMap((group, at) => [at > 0 && " ", el("span", {}, group)]);

const pair = (label, value) => el("div", {}, el("dt", {}, label), el("dd", {}, value));

function pairs(rows, kind = "") {
  const said = rows.filter(([, value]) => value !== null && value !== undefined);
  return said.length > 0 && el("dl", { class: kind }, said.map(([label, value]) => pair(label, value)));
}

const unit = (type) => (type === null || /^kwh$/i.test(type) ? "kWh" : type);

const settings = (meter) =>
  [["SGC", meter.supplierGroupCode], ["KRN", meter.keyRevisionNumber], ["TI", meter.tariffIndex], ["TT", meter.tokenTechnology], ["ALG", meter.algorithm]]
    .filter(([, value]) => value !== null).map(([label, value]) => `${label} ${value}`).join("  ");

/** What the paper's edge says to who only hears it. */
export const spoken = (sale) => {
  const { tokens, pin, tokensDue } = sale.receipt;
  if (tokensDue === "pending") return "The token is to follow.";
  if (tokens.length > 0) return `${tokens.length === 1 ? "One token" : `${tokens.length} tokens`} on the slip.`;
  return pin === null ? `Slip for ${recipient(sale)}.` : "A PIN on the slip.";
};
