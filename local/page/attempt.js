/** One purchase as a wallet makes it: confirm, reserve, send under one key, and send the same again while it is in doubt. */

import { ask } from "./api.js";
import { say } from "./dom.js";
import { spoken } from "./slip.js";
import { STATES, WALLET, rand } from "./words.js";

const AGAIN_SECONDS = 3; // where the answer does not say how long to wait

export class Attempt {
  /**
   * `body` is what is wanted, as the first request of this service takes it: the prevend's where it is `prevended`.
   * `phase` is a sale's state, or `confirming`, `confirmed`, `refused` (there is no sale), `unknown` (no answer said).
   */
  constructor({ vasType, prevended, body, insist = false }) {
    Object.assign(this, { vasType, prevended, wanted: body, insist, amountCents: body.amountCents });
    this.key = crypto.randomUUID();
    this.phase = "confirming";
    this.prevend = this.sale = this.problem = this.askAt = null;
    this.replayed = this.healed = false;
    this.story = [];
    this.startedAt = Date.now();
    this.changed = () => {};
  }

  /** A sale that is on record: it is read, not bought again, because its key is not known here. */
  static of(sale) {
    const attempt = new Attempt({ vasType: sale.vasType, body: sale });
    attempt.key = null;
    attempt.startedAt = Date.parse(sale.createdAt);
    attempt.#take(sale, 200);
    return attempt;
  }

  get running() {
    return this.phase === "confirming" || this.phase === "vending";
  }

  get saleId() {
    return this.sale?.transactionId ?? null;
  }

  /** Check the recipient and the amount; no money moves. */
  async confirm() {
    this.#move("confirming", "Asked for a prevend");
    const answer = await ask("POST", `/prevend/${this.vasType}`, { body: this.wanted });
    if (!answer.ok) return this.#refused(answer);
    this.prevend = answer.json;
    return this.#move("confirmed", "200: confirmed. No money moved");
  }

  /** Reserve the money, and buy. */
  async buy() {
    const wanted = this.prevend ? { prevendId: this.prevend.prevendId } : this.wanted;
    this.body = this.insist ? { ...wanted, allowDuplicate: true } : wanted;
    this.#move("vending", `Reserved ${rand(this.amountCents)}, sent the request`);
    await this.send();
  }

  /** The request under its key: the first time, and every time after. */
  async send({ again = false } = {}) {
    const first = this.story.every(({ asked }) => !asked);
    this.#hush();
    if (!first) this.#tell(again ? "Sent the same request again" : "Sent the same request again, as you asked", true);
    else this.story.at(-1).asked = true;
    const answer = await ask("POST", `/purchase/${this.vasType}`, { body: this.body, key: this.key, again });
    const { json } = answer;
    if (json?.state === "rejected") {
      this.problem = json;
      this.#move("rejected", `${answer.status}: rejected. Released ${rand(this.amountCents)}`);
    } else if (json?.state) {
      this.#take(json, answer.status, Number(answer.header("Retry-After")) || AGAIN_SECONDS);
    } else if (json?.type === "/problems/request-in-progress") {
      this.#tell("409: the first one is still running");
      this.changed(this);
    } else if (answer.status >= 500 || answer.status === 0) {
      this.problem = json;
      this.#move("unknown", `${answer.status || "No answer"}: says nothing about the sale. Holds ${rand(this.amountCents)}`);
      this.#wait(json?.retryAfterSeconds ?? AGAIN_SECONDS, () => this.send({ again: true }));
    } else {
      this.#refused(answer);
    }
  }

  /** Read the sale, whatever its state. */
  async read({ again = false } = {}) {
    const answer = await ask("GET", `/purchase/transactions/${this.saleId ?? this.problem?.instance?.split("/").at(-1)}`, { again });
    if (answer.ok && answer.json.state !== "rejected") this.#take(answer.json, answer.status);
    return answer;
  }

  #take(sale, status, seconds = AGAIN_SECONDS) {
    const before = this.sale?.state;
    this.sale = sale;
    this.problem = sale.problem && { ...sale.problem, state: sale.state };
    this.replayed = before === "vended" && sale.state === "vended";
    this.healed ||= before === "in_doubt" && sale.state === "vended";
    const amount = rand(sale.amountCents);
    const words = {
      vending: "still selling",
      in_doubt: `in doubt. Holds ${amount}`,
      vended: this.replayed ? "the same sale" : `vended. Captured ${amount}`,
      rejected: `rejected. Released ${amount}`,
    };
    this.#move(sale.state, `${status}: ${words[sale.state]}`);
    const open = sale.state === "in_doubt" || sale.state === "vending" || sale.receipt?.tokensDue === "pending";
    if (open) this.#wait(sale.state === "in_doubt" ? seconds : AGAIN_SECONDS, () => (this.key ? this.send({ again: true }) : this.read({ again: true })));
  }

  #refused(answer) {
    this.problem = answer.json ?? { title: "No answer", detail: "Is the system still running?", retry: "same-key" };
    this.#move("refused", `${answer.status || "No answer"}: refused. There is no sale`);
  }

  #move(phase, words) {
    const moved = this.phase !== phase;
    this.phase = phase;
    this.#hush();
    this.#tell(words);
    this.changed(this);
    if (moved && phase in STATES && phase !== "vending") say(this.#spoken());
  }

  #spoken() {
    const wallet = this.phase === "refused" ? "" : `The wallet: ${rand(this.amountCents)} ${WALLET[this.phase]}.`;
    const more = this.phase === "vended" ? spoken(this.sale) : this.problem ? `${this.problem.title}. ${this.problem.detail}` : "";
    return `${STATES[this.phase]}. ${wallet} ${more}`.trim();
  }

  /** The same words in a row are one line, counted. */
  #tell(words, asked = false) {
    const last = this.story.at(-1);
    const lastButOne = this.story.at(-2);
    if (last?.words === words) return this.#count(last);
    if (lastButOne?.words === words) {
      this.#count(lastButOne);
      this.story.splice(-2, 2, last, lastButOne);
      return undefined;
    }
    return this.story.push({ seconds: (Date.now() - this.startedAt) / 1000, words, times: 1, asked });
  }

  #count(line) {
    line.times += 1;
    line.seconds = (Date.now() - this.startedAt) / 1000;
  }

  #wait(seconds, then) {
    this.#hush();
    this.askAt = Date.now() + seconds * 1000;
    this.timer = setTimeout(then, seconds * 1000);
    this.changed(this);
  }

  #hush() {
    clearTimeout(this.timer);
    this.askAt = null;
  }
}
