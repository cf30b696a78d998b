/** How amounts, times, states and advice read. Amounts are integer cents from end to end. */

/** `R1 234.50`, with spaces that do not break. */
export function rand(cents) {
  const whole = Math.trunc(Math.abs(cents) / 100).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return `${cents < 0 ? "\u2212" : ""}R${whole}.${String(Math.abs(cents) % 100).padStart(2, "0")}`;
}

/** The cents of an amount as it is typed, `100`, `99.50` or `1 000,00`; `null` when it is none. */
export function cents(text) {
  const match = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text.replace(/^R|[\s\u202f]/gi, ""));
  return match && Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
}

/** Digits in groups of four, as they are typed. */
export const grouped = (digits) => digits.replace(/(\d{4})(?=\d)/g, "$1 ");

const moments = (options) => new Intl.DateTimeFormat("en-ZA", { timeZone: "Africa/Johannesburg", hourCycle: "h23", ...options });
const TIME = moments({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MOMENT = moments({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** South African time, which is the business day's. */
export const time = (text) => TIME.format(new Date(text));
export const moment = (text) => MOMENT.format(new Date(text)).replace(",", "");

/** The business day that runs now. South Africa has no summer time. */
export const today = () => new Date(Date.now() + 2 * 3600_000).toISOString().slice(0, 10);

export const STATES = { vending: "Selling", in_doubt: "In doubt", vended: "Vended", rejected: "Rejected", refused: "Refused", unknown: "No outcome" };
export const WALLET = { vending: "held", in_doubt: "held", vended: "captured", rejected: "released", refused: "not touched", unknown: "held" };
export const SERVICES = { utility: "Electricity", "bill-payment": "Bill payment", airtime: "Airtime", data: "Data", voucher: "Voucher" };

/** How a scenario ends, as `/local/simulator` names it: the tag's class, and words. */
export const ENDS = {
  vended: ["vended", "vended"],
  rejected: ["rejected", "rejected"],
  refused: ["rejected", "refused by the prevend"],
  "vended or in_doubt then vended": ["vended", "vended, at once or after a doubt"],
  "in_doubt then vended": ["in_doubt", "in doubt, then vended"],
  "in_doubt until settled": ["in_doubt", "in doubt until settled"],
  in_doubt: ["in_doubt", "in doubt"],
};

/** What may be done after a problem. `sold`: it was a purchase, which has a key. */
export function advice({ retry, retryAfterSeconds, state }, sold) {
  const when = retryAfterSeconds ? ` in ${retryAfterSeconds} s` : "";
  switch (retry) {
    case "same-key":
      return sold ? `Send the same request again, under the same key${when}.` : `Ask again${when}.`;
    case "new-key":
      return sold ? `Try again${when}, under a new key.` : `Ask again${when}.`;
    case "change":
      return state && sold ? "Change the request; it then needs a new key." : "Change the request.";
    default:
      return "There is nothing to try again.";
  }
}

/** Whom a sale is for, or what it is. */
export const recipient = (sale) => sale.meterNumber ?? sale.accountNumber ?? sale.mobileNumber ?? "PIN";
