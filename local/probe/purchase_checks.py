"""The steps about a sale: buying it, which costs money; reprinting it; and, on request, sending it twice."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from local.probe import findings
from local.probe.findings import Finding
from local.probe.output import ProbeOutput, description, looks
from local.probe.switch import Switch
from local.terminal import Stop, Verdict, safe_text
from shared import bootstrap
from shared.domain.money import Money
from shared.domain.outcome import NoAnswer, NoSuchTransaction, Outcome, Receipt, Rejected, Unknown, Vended
from shared.domain.policy import ReprintBy
from shared.domain.vas import Order, VasType
from shared.lib.masking import last_four
from shared.mobilemart.requests import REPRINTED, reprint_call
from shared.mobilemart.responses import Heard, Reply, read_reprint


async def buy(
    switch: Switch, output: ProbeOutput, order: Order, supplier_prevend_id: str | None, *, age_seconds: int, repeat: bool
) -> None:
    """Buy `order` once, at that age of its prevend, and request its reprint by both ids. `repeat` sends the request twice.

    Raises:
        Stop: no access token was available, so nothing was sent.
        OSError: the request could not be stored, so nothing was sent.
    """
    if age_seconds:
        print(f"waiting {age_seconds} s, for the prevend to age", flush=True)
        await asyncio.sleep(age_seconds)
    sale = _Sale(switch, output, order, supplier_prevend_id, bootstrap.new_id())
    outcome, heard = await sale.sent(attempt=1)
    if isinstance(heard, Reply):
        output.take(findings.of_vend(heard, order))
    if age_seconds:
        output.take(findings.of_aged_prevend(outcome, age_seconds, switch.config.prevend_valid_seconds))
    if isinstance(outcome, Rejected):
        return
    await sale.shown_again(outcome.receipt if isinstance(outcome, Vended) else None, looks(heard))
    if repeat:
        again, heard_again = await sale.sent(attempt=2, looked=looks(heard))
        output.take(findings.of_repeat(outcome, again, heard_again))


async def reprint_earlier(switch: Switch, output: ProbeOutput, request_id: str) -> None:
    """Reprint a sale of an earlier run.

    Raises:
        Stop: the log has no such request, or it went to another switch.
    """
    output.steps.begin("an earlier request")
    lines = [line for line in output.purchase_log.lines() if line.get("requestId") == request_id]
    if not lines or "amountCents" not in lines[0]:
        raise Stop(Verdict.FAIL, f"no request {safe_text(request_id)} in {output.purchase_log.path}")
    if lines[0]["url"] != switch.config.supplier_url:
        raise Stop(Verdict.FAIL, f"it was sent to {safe_text(lines[0]['url'])}", "ask that one: --url")
    held = next((line["transactionId"] for line in lines if line.get("transactionId")), None)
    order = _order(lines[0])
    by_request = await _reprinted(switch, output, order, ReprintBy.REQUEST_ID, request_id, None)
    by_transaction = await _reprinted(switch, output, order, ReprintBy.TRANSACTION_ID, request_id, held) if held else None
    output.take(findings.of_reprints(by_request, by_transaction, held is not None))
    if receipt := by_request or by_transaction:
        _ended_by_reprint(output, request_id, receipt)
        output.take([Finding("reprint-retention", f"at least until now: it was sold {safe_text(lines[0]['at'])}")])


def unended(output: ProbeOutput) -> list[Mapping[str, Any]]:
    """Return the requests of all runs that may have sold and have no known end."""
    lines = output.purchase_log.lines()
    ended = {(line.get("requestId"), line.get("attempt")) for line in lines if line.get("outcome") in ("Vended", "Rejected")}
    return [line for line in lines if "amountCents" in line and (line.get("requestId"), line.get("attempt")) not in ended]


@dataclass(frozen=True, slots=True)
class _Sale:
    """One sale under one request id."""

    switch: Switch
    output: ProbeOutput
    order: Order
    supplier_prevend_id: str | None
    request_id: str

    async def sent(self, attempt: int, looked: Sequence[str] = ()) -> tuple[Outcome, Heard]:
        """Send the request once. It is on record before it leaves, and its answer is stored before it is printed."""
        steps, client = self.output.steps, self.switch.client
        steps.begin(f"{'purchase' if attempt == 1 else 'the same again'}, {self.order.amount}")
        refused = await client.ready()
        if refused is not None:
            raise Stop(Verdict.FAIL, safe_text(refused.cause), "no access token: nothing was sent")
        self.switch.heard()  # drops the token's answer: it is not about the sale
        self._write_down(attempt)
        answer = await client.vend(self.order, self.supplier_prevend_id, self.request_id, self.switch.config.send_window_seconds)
        heard = self.switch.heard()
        self._store(attempt, answer.outcome, heard)
        match answer.outcome:
            case Vended(receipt):
                steps.end(Verdict.PASS, f"vended: {safe_text(receipt.supplier_transaction_id)}", _goods(receipt), *_unlike(looked, heard))
            case Rejected() if attempt > 1:
                steps.end(Verdict.SEEN, description(heard), "nothing was sold by this one")
            case Rejected(reason=reason):
                steps.end(Verdict.FAIL, f"rejected, {reason}: {description(heard)}", "nothing was sold")
            case Unknown(cause=cause):
                advice = ("it may have sold, and is not sent again", f"later: --reprint {self.request_id}, with this --save")
                steps.end(Verdict.DOUBT, f"unknown: {safe_text(cause)}", *advice)
            case _:
                assert_never(answer.outcome)
        return answer.outcome, heard

    async def shown_again(self, sold: Receipt | None, looked: Sequence[str]) -> None:
        """Return the sale by its reprints: by our request id, and by the switch's own id if it is known."""
        held = None if sold is None else sold.supplier_transaction_id
        by_request = await _reprinted(self.switch, self.output, self.order, ReprintBy.REQUEST_ID, self.request_id, None, looked)
        by_transaction = None
        if held is not None:
            by_transaction = await _reprinted(self.switch, self.output, self.order, ReprintBy.TRANSACTION_ID, self.request_id, held, looked)
        if self.order.vas_type in REPRINTED:
            self.output.take(findings.of_reprints(by_request, by_transaction, held is not None))
        again = by_request or by_transaction
        if again is not None and sold is not None:
            self.output.take(findings.of_reprinted_goods(again, sold))
        if again is not None and sold is None:
            _ended_by_reprint(self.output, self.request_id, again)

    def _write_down(self, attempt: int) -> None:
        self.output.purchase_log.write(
            requestId=self.request_id,
            attempt=attempt,
            url=self.switch.config.supplier_url,
            service=self.order.vas_type,
            pinned=self.order.pinned,
            product=self.order.merchant_product_id,
            amountCents=self.order.amount.cents,
            to=last_four(self.order.recipient),
            prevend=self.supplier_prevend_id,
        )
        self.output.steps.note(f"request id {self.request_id}, written to {self.output.purchase_log.path}")

    def _store(self, attempt: int, outcome: Outcome, heard: Heard) -> None:
        """Store the answer and its meaning. If the disk refuses, the request id on record must suffice."""
        known = {"transactionId": outcome.receipt.supplier_transaction_id} if isinstance(outcome, Vended) else {"cause": outcome.cause}
        try:
            stored = self.output.store("vend", heard)
            self.output.purchase_log.write(
                requestId=self.request_id, attempt=attempt, outcome=type(outcome).__name__, answer=stored, **known
            )
        except OSError as error:
            self.output.steps.note(f"ITS ANSWER COULD NOT BE KEPT ({error.strerror}): make room, then --reprint {self.request_id}")
        else:
            self.output.steps.note("no answer came that could be kept" if stored is None else f"its answer is in {stored}")


def _ended_by_reprint(output: ProbeOutput, request_id: str, receipt: Receipt) -> None:
    output.purchase_log.write(
        requestId=request_id, attempt=1, outcome="Vended", transactionId=receipt.supplier_transaction_id, by="reprint"
    )


async def _reprinted(
    switch: Switch, output: ProbeOutput, order: Order, by: ReprintBy, request_id: str, held: str | None, looked: Sequence[str] = ()
) -> Receipt | None:
    """Return the sale as a reprint shows it; `None` for another sale or none. `looked` is the form of the sale's own answer."""
    output.steps.begin(f"reprint by {by}")
    call = reprint_call(order.vas_type, by, request_id, held)
    if call is None:
        output.steps.end(Verdict.SKIP, f"none is known for {order.vas_type}")
        return None
    heard = await switch.ask(call)
    stored = output.store("reprint", heard)
    shown = _unlike(looked, heard)
    reprinted = read_reprint(heard, order, switch.config.mode, held, request_id)
    match reprinted:
        case Vended(receipt):
            output.steps.end(
                Verdict.SEEN, f"the sale, {safe_text(receipt.supplier_transaction_id)}", f"{_goods(receipt)}, in {stored}", *looks(heard)
            )
            return receipt
        case Unknown(cause=cause):
            output.steps.end(Verdict.SEEN, f"not read as this sale: {safe_text(cause)}", *shown)
        case NoSuchTransaction() | NoAnswer():
            output.print_answer(heard)
        case _:
            assert_never(reprinted)
    return None


def _unlike(looked: Sequence[str], heard: Heard) -> list[str]:
    """Return the form of an answer, if it differs from the sale's own answer."""
    form = looks(heard)
    return ["it looks like the sale's own answer"] if form and form == list(looked) else form


def _goods(receipt: Receipt) -> str:
    """Summarise the goods without their values."""
    kinds = ", ".join(token.kind for token in receipt.tokens)
    goods = f"tokens: {kinds}" if kinds else "a PIN" if receipt.pin is not None else "no token and no PIN"
    return f"{goods} ({receipt.tokens_due}); {receipt.units or 'no'} units"


def _order(line: Mapping[str, Any]) -> Order:
    """Return the order of a logged request. The log lacks its recipient."""
    return Order(
        vas_type=VasType(line["service"]), amount=Money(line["amountCents"]), merchant_product_id=line["product"], pinned=line["pinned"]
    )
