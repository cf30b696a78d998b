"""Faults planted in the product, to prove that the simulation can fail: each is a mistake that has lost, or would lose, money.

A plant is a change of source text. Only while it is planted, the function has the code of the changed text; so every module
that imported the function before is struck too, and a plant whose text is no longer in the product refuses to be planted.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from shared.domain import closures, identifiers, outcome, sale_summary, transaction
from shared.mobilemart import charges, receipts, status_words, vend_checks
from shared.mobilemart import responses as mobilemart_responses
from shared.retention import rules, run
from shared.schemas import responses
from shared.settlement import absence, file_selection, matching, past_files, proving, repository, runner, withdrawn_lines
from shared.store import transaction_documents
from shared.vending import purchasing, recorder, resolution


class Change(NamedTuple):
    """In the source of a function, `old` becomes `new`."""

    old: str
    new: str


Edit = tuple[Callable[..., Any], *tuple[Change, ...]]


@dataclass(frozen=True, slots=True)
class Plant:
    """One mistake, by the name of what it does wrong."""

    name: str
    edits: tuple[Edit, ...]


def plant(name: str, *edits: Edit) -> Plant:
    return Plant(name, edits)


def swap(old: str, new: str) -> Change:
    return Change(old, new)


def before(anchor: str, *lines: str) -> Change:
    """Further lines before the one that begins with `anchor`."""
    return Change(anchor, "\n".join((*lines, anchor)))


@contextmanager
def planted(mistake: Plant) -> Iterator[None]:
    """The product with this mistake in it.

    Raises:
        LookupError: the product does not hold the text that the plant changes, or holds it twice.
    """
    with ExitStack() as undo:
        for function, *changes in mistake.edits:
            assert isinstance(function, FunctionType)
            undo.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = _changed(function, changes)
        yield


def _changed(function: FunctionType, changes: list[Change]) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if source.count(old) != 1:
            raise LookupError(f"{function.__qualname__} holds {old!r} {source.count(old)} times")
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    exec(compile(source, inspect.getfile(function), "exec"), function.__globals__, made)
    found = made[function.__name__]
    code: CodeType = getattr(found, "__func__", found).__code__  # that of a class method is in it
    return code


_read_vend, _read_sale = mobilemart_responses.read_vend, mobilemart_responses._read_sale
_purchase, _send = purchasing.Vending.purchase, purchasing.Vending._send
_resolve, _evidence = resolution.Resolving.resolve, resolution.Resolving._evidence
_is_abandoned = transaction.Transaction.is_abandoned
_proves_absence, _is_to_be_believed = absence.Absence.proves_absence, absence.Absence._is_to_be_believed
_settled = runner.Settling._settled

PLANTS = (
    # What an answer means
    plant(
        "a lost answer is taken for a failure",
        (_read_vend, swap("else Unknown(heard.cause)", "else Rejected(Reason.TEMPORARILY_UNAVAILABLE, heard.cause)")),
    ),
    plant(
        "a lost answer is taken for a connection never made",
        (_read_vend, swap("never if heard.never_sent else Unknown(heard.cause)", "never")),
    ),
    plant(
        "a 5xx is taken for a failure",
        (
            _read_vend,
            before(
                "    if not said:",
                "    if heard.status >= 500:",
                "        return VendRead(refused(heard, Reason.TEMPORARILY_UNAVAILABLE))",
            ),
        ),
    ),
    plant(
        "an answer that is no JSON is taken for a failure",
        (
            _read_vend,
            before(
                "    if not said:",
                "    if heard.json is None:",
                "        return VendRead(refused(heard, Reason.TEMPORARILY_UNAVAILABLE))",
            ),
        ),
    ),
    plant("a 2xx is no sign of a vend", (_read_vend, swap("heard.description, sign_of_vend=heard.is_success", "heard.description"))),
    plant("an error that is a one is none", (status_words._is_no_error, swap("value == 0", "value in (0, 1)"))),
    plant(
        "an error that is true is none",
        (status_words._is_no_error, swap("value == 0", "value == 0 or value is True")),
    ),
    plant(
        "whatever a reprint names is taken for the sale",
        (mobilemart_responses._mismatch, before("    if asked_for is not None", "    return None")),
    ),
    plant("tokens come in another order", (receipts._with_tokens, swap("tokens=issued.tokens,", "tokens=issued.tokens[::-1],"))),
    plant(
        "a status that says no or not yet is not heard",
        (vend_checks.statement_of, swap("status=next((says for says in Says if says in statuses), None)", "status=None")),
    ),
    plant("an error beside an id is not heard", (vend_checks.statement_of, swap("has_error=any(", "has_error=False and any("))),
    plant(
        "another's sale is taken for the caller's",
        (vend_checks.statement_of, swap("other_recipient=_names_other_recipient(statements, order)", "other_recipient=False")),
    ),
    plant(
        "another request's sale is taken for this one's",
        (vend_checks.statement_of, swap("other_request=any(", "other_request=False and any(")),
    ),
    plant("a bare 202 is a sale", (mobilemart_responses._doubt, swap("reply.status == _ACCEPTED", "False"))),
    plant("another amount is believed whatever is set", (_read_sale, swap("if amount_check is AmountCheck.DOUBT:", "if False:"))),
    plant(
        "what speaks against a sale is no sign of a vend",
        (
            _read_sale,
            swap(
                "VendRead(Unknown(cause, sign_of_vend=True), None if doubt is None",
                "VendRead(Unknown(cause), None if doubt is None",
            ),
        ),
    ),
    plant("nothing is due where units are quoted", (receipts._tokens_due, swap(" and not quotes_units(sold)", ""))),
    plant(
        "whatever is charged counts as debt",
        (charges.recovers_all, swap("if any(map(_DEBT.search, names)) and all(map(_names_recovery, names)):", "if True:")),
        (receipts._tokens_due, swap(" and not quotes_units(sold)", "")),
    ),
    plant("readable tokens are taken for all", (receipts._tokens_due, swap("if not issued.is_whole:", "if False:"))),
    # Selling
    plant("a retry takes a new request id", (_send, swap("sale.request_id, left_seconds", "self.recorder.new_id(), left_seconds"))),
    plant(
        "an unknown outcome is tried again",
        (_send, swap("answer.outcome.not_taken):", 'answer.outcome.not_taken) and type(answer.outcome).__name__ != "Unknown":')),
    ),
    plant("nothing closes the send window", (_send, before("        if left_seconds <= 0:", "        left_seconds = 10.0"))),
    plant(
        "the claim comes after the send",
        (
            _purchase,
            before(
                "    try:\n        sale = await self._create(fresh, draft.prevend)",
                "    if draft.refusal is None:",
                "        await self._send(fresh)",
            ),
        ),
    ),
    plant("another's claim is taken for ours", (_purchase, swap("if sale.nonce != fresh.nonce:", "if False:"))),
    plant(
        "a second tap is looked for before its claim",
        (
            _purchase,
            before(
                "    try:\n        sale = await self._create(fresh, draft.prevend)",
                "    early = None",
                "    if request.prevend_id is None:",
                "        early = await self._refused_once_claimed(fresh, request)",
            ),
            swap("(refusal := await self._refused_once_claimed(sale, request))", "(refusal := early)"),
        ),
    ),
    plant(
        "a sale that waits for its announcement stands in another's way",
        (transaction.reindexed, swap("place.account if sale.is_unfinished else None", "place.account")),
        (purchasing.Vending._is_in_the_way, swap("return earlier is None or earlier.is_unfinished", "return True")),
    ),
    plant(
        "the index of older code is believed", (purchasing.Vending._is_in_the_way, swap("earlier is None or earlier.is_unfinished", "True"))
    ),
    plant("a sale in doubt stands in nobody's way", (purchasing.Vending._is_in_the_way, swap("earlier.is_unfinished", "False"))),
    plant(
        "all that look the same count as read",
        (purchasing.Vending._refused_for_an_earlier_sale, swap("if len(candidates) < MAX_ALIKE:", "if True:")),
    ),
    plant(
        "a vend that another sale holds is believed",
        (purchasing.Vending._claimed_by_another, before("    for _ in range(STORE_TRIES):", "    return answer, None")),
    ),
    plant("a prevend can be bought twice", (_purchase, swap("self._create(fresh, draft.prevend)", "self._create(fresh, None)"))),
    plant(
        "a refusal leaves its key free",
        (
            _purchase,
            before(
                "    try:\n        sale = await self._create(fresh, draft.prevend)",
                "    if draft.refusal is not None:",
                "        return Purchased(fresh, replayed=False)",
            ),
        ),
    ),
    plant(
        "a key may come back with another order", (purchasing.Vending._repeat, swap("not await self._is_repeat(earlier, request)", "False"))
    ),
    plant("a key is not bound to its caller", (identifiers.transaction_id, swap("caller.subject, ", ""))),
    plant(
        "a sale is told as vended that is not on record",
        (
            purchasing.Vending._keep,
            swap(
                "Purchased(sale, replayed=False, on_record=False)",
                'Purchased(transition(sale, answer, at=self.recorder.now(), by="us", retry_seconds=60), replayed=False)',
            ),
        ),
    ),
    plant(
        "a sale is announced before it is on record",
        (
            purchasing.Vending._keep,
            before(
                "    try:\n        recorded",
                '    hasty = transition(sale, answer, at=self.recorder.now(), by="us", retry_seconds=60)',
                "    for event in hasty.unannounced:",
                "        await self.recorder.events.publish(event, hasty)",
            ),
        ),
    ),
    # Recording
    plant(
        "no precondition on the record",
        (recorder.Recorder.update, swap("self.store.advance(before, ", "self.store.advance(await self.held(sale.id), ")),
    ),
    plant("the unannounced are cleared blindly", (transaction.announced, swap("if event not in published", "if False"))),
    plant(
        "what was not published counts as published",
        (recorder.Recorder.publish_pending_events, swap("done = frozenset(published)", "done = frozenset(sale.unannounced)")),
    ),
    plant(
        "an end can be overwritten",
        (transaction.transition, swap("match sale.state:", "match State.IN_DOUBT:")),
        (transaction._moved, swap("if state not in NEXT[sale.state]:", "if False:")),
    ),
    plant("what contradicts an end is forgotten", (transaction._contradicted, before("    entry = HistoryEntry(", "    return sale"))),
    plant(
        "the send window is measured by the wall clock alone",
        (_send, swap("claimed.latest(self.recorder.moment())", "self.recorder.now()")),
    ),
    plant(
        "the send window is measured by the monotonic clock alone",
        (_send, swap("claimed.latest(self.recorder.moment())", "claimed._by_ticks(self.recorder.moment())")),
    ),
    plant(
        "the minimum age is measured by the wall clock alone",
        (purchasing.Vending._sell, swap("claimed.latest(self.recorder.moment())", "self.recorder.now()")),
    ),
    plant("moments on record go back", (transaction.no_earlier, swap("return max(at,", "return at if at else max(at,"))),
    plant(
        "two contradictions of a sale have one id",
        (responses.event_id, swap("{sale.contradicted_at[-1] if sale.contradicted_at else sale.version}", "again")),
    ),
    plant(
        "contradictions that wait together are announced as one",
        (transaction.each_contradiction, swap("for number in range(len(versions)):", "for number in range(len(versions))[-1:]:")),
    ),
    plant(
        "a contradiction is ignored as older news",
        (recorder.Recorder.publish_pending_events, swap("if sale.contradicted_at or event in events:", "if event in events:")),
    ),
    plant(
        "a lease is shorter than the exchange",
        (
            purchasing.Vending._begin,
            swap("lease_until=at + timedelta(seconds=self.recorder.rules.lease_seconds)", "lease_until=at + timedelta(seconds=1)"),
        ),
    ),
    plant("a lease never ends", (_is_abandoned, swap("at >= self.lease_until", "False"))),
    # Resolving
    plant(
        '"does not exist" is believed at once',
        (
            transaction.after_not_found,
            swap("if sale.not_found_at is None or sale.not_found_at < absence_counts_from(sale, minimum_age_seconds):", "if False:"),
            swap("if at - sale.not_found_at < timedelta(seconds=retry_seconds):", "if False:"),
        ),
    ),
    plant('"does not exist" is believed without a control', (_evidence, swap(" if sale.order.vas_type in controlled:", ":"))),
    plant(
        "a store that is away finds a control",
        (
            resolution.Resolving.control,
            swap("except StoreUnavailable:\n        return False", "except StoreUnavailable:\n        return True"),
        ),
    ),
    plant(
        '"does not exist" is believed of a young sale',
        (transaction.may_be_absent, swap(" and at >= absence_counts_from(sale, minimum_age_seconds)", "")),
        (transaction.after_not_found, swap(" or sale.not_found_at < absence_counts_from(sale, minimum_age_seconds)", "")),
    ),
    plant('"does not exist" is believed against a sign of a vend', (transaction.may_be_absent, swap(" and not sale.sign_of_vend", ""))),
    plant(
        "one vend ends two sales",
        (recorder.Recorder.held_by_another, swap("None if all(holder.id == sale.id for holder in holders)", "None if True")),
    ),
    plant("recovered tokens are not announced", (transaction._with_more, swap("(EventName.TOKENS,)", "()"))),
    plant(
        "a recovery replaces the tokens that were known",
        (outcome.Receipt.merged_with, swap("tokens = joined(self.tokens, more.tokens)", "tokens = more.tokens")),
    ),
    plant(
        "ids are compared letter by letter",
        (identifiers.same_supplier_id, swap("one_spelling(one) == one_spelling(other)", "one == other")),
    ),
    plant("tokens that are due are forgotten", (_resolve, swap("not _is_unfinished(sale)", "sale.state is not State.IN_DOUBT"))),
    plant(
        "another token than a person has written down is ignored",
        (
            transaction._vended_again,
            swap("elif not known.lacks(receipt):", "else:"),
            swap("_tokens_differ(sale, receipt, raw, at, by, retry_seconds) if known.lacks(receipt) else sale", "sale"),
        ),
    ),
    plant(
        "another token that only a control shows is ignored",
        (resolution.Resolving.control, swap("vended.receipt.lacks(shown)", "False")),
    ),
    # Settling
    plant("absence is believed of files with other ids", (_is_to_be_believed, swap(" and day in self.matching.controls", ""))),
    plant("absence is believed of a day that still runs", (_is_to_be_believed, swap("day < self.today", "True"))),
    plant("absence is believed of a file that has lost lines", (_is_to_be_believed, swap(" and day not in self.distrusted", ""))),
    plant(
        "a line by the supplier's id is a control",
        (matching.Matching._lay, swap(" and filed.line.merchant_id.lower() == known.sale.request_id", "")),
    ),
    plant("absence is believed of one file alone", (absence.days_that_may_bill, swap("(sale.day, sale.day + ONE_DAY)", "(sale.day,)"))),
    plant(
        "near midnight the day before is not asked",
        (absence.days_that_may_bill, swap("(sale.day - ONE_DAY, *own) if any(map(_near_midnight, moments)) else own", "own")),
    ),
    plant("absence is believed against a sign of a vend", (absence.may_be_absent, swap("sale.sign_of_vend or ", ""))),
    plant("absence is believed beside a line that might be it", (absence._may_hide, before("    unexplained =", "    return False"))),
    plant(
        "absence of a bill is believed beside another bill, where fees come on top",
        (absence._may_hide, swap("any(other is service for other, _ in unexplained)", "(service, known.cents) in unexplained")),
    ),
    plant("absence is believed where a vended sale is billed nowhere", (_proves_absence, swap("and not any(self._lacking(days))", ""))),
    plant(
        "a sale that is billed late does not count against its day",
        (absence.Absence._take, swap("billed_in is None or billed_in > day + ONE_DAY", "billed_in is None")),
    ),
    plant("the last ten minutes of every day do not count", (absence.Absence._lacking, swap("day == last and ", ""))),
    plant("nothing that was made later needs to be billed", (absence.Absence._is_between, swap("return followed and ", "return "))),
    plant(
        "nothing that was made before needs to be billed",
        (absence.Absence._is_between, swap("followed and (billed_before or not sold_before)", "followed")),
    ),
    plant("what an earlier file of the day said is forgotten", (runner._lines, before("    return tuple(filed for", "    return ()"))),
    plant(
        "what a file lost that was overwritten is not told by its paper",
        (withdrawn_lines.lacking, swap("least.append(_at_ours_on_paper(before))", "pass")),
    ),
    plant(
        "an earlier file that could not be read counts as looked at",
        (
            past_files.Read.ended,
            swap("broke_off(known_as) if any(earlier is UNREAD for earlier in said.get(one, ())) else known_as", "known_as"),
        ),
    ),
    plant("what a day's file lacks is forgotten by the next run", (repository._lacking_body, swap("lacking == Lacking()", "True"))),
    plant("what the next day's file lacks is not asked", (past_files.PastFiles._doubts, swap("if runs.lacking != Lacking() or", "if"))),
    plant("a sale that is billed late is missing on its own day for ever", (_settled, swap("*settled.reached, ", ""))),
    plant("a line that does not bill is no sign of a vend", (proving.Proving.record, swap("map(self._signed, settled.signs)", "()"))),
    plant(
        "one file that cannot be read stops every day",
        (
            file_selection.read,
            before(
                "    except (FileRefused, FileUnreadable) as error:",
                "    except FileUnreadable as error:",
                "        raise FilesUnavailable",
            ),
        ),
    ),
    plant(
        "a day is settled without its file that cannot be read",
        (runner._check, swap("if of == day or", "if of == day and not refusal.unread or")),
    ),
    plant(
        "a file whose header cannot be read is of one day alone",
        (file_selection.Choice._beside, swap("isinstance(latest, Refusal)", "True")),
    ),
    plant(
        "a file that breaks off behind its header may be of any day",
        (file_selection.Choice._why_no_header, swap("None if _key(one) in self._days else ", "")),
    ),
    plant(
        "what is sold within a dead process's lease was sold after it",
        (sale_summary.Sold.of.__func__, swap("sale.send_ended_at or sale.lease_until", "sale.send_ended_at or sale.created_at")),
    ),
    plant(
        "a day that was refused is forgotten",
        (runner.Settling._unsettled, swap("return sorted(days)", "return sorted(days - {*await self._papers.refused()})")),
    ),
    plant("a closure covers whatever the difference becomes", (closures.is_covered, before("    if SEEN in held", "    return True"))),
    plant("a settlement line is no evidence", (proving.Proving.record, swap("sorted(settled.proofs, key=_in_order)", "()"))),
    # Retention
    plant("a tombstone frees its key", (rules.tombstone_of, swap("id=sale.id", "id=sale.request_id"))),
    plant(
        "an open sale is cleaned",
        (rules.hold, swap("if sale.open is not None or sale.is_unfinished or sale.unannounced:", "if False:")),
        (run.Retaining.needed, swap("unsettled |= days", "pass")),
    ),
    plant("a sale that an open difference names is cleaned", (rules.hold, swap("if sale.id in named:", "if False:"))),
    plant(
        "an erasure is a visible change",
        (rules.erased, swap("erased_at=sale.erased_at or at", "erased_at=sale.erased_at or at, version=sale.version + 1")),
    ),
    plant("a raw answer outlasts the erasure", (rules._answer, swap('body=b""', "body=answer.body"))),
    plant("a run goes past what it was cut short in", (run._Run._page, swap("last, place, PAGE", 'last, place or (last, ""), PAGE'))),
    plant(
        "what is held is forgotten",
        (run._Run._keep_page, swap("held=frozenset(held), waiting={**self.progress.waiting, step: waiting}, ", "")),
    ),
    plant(
        "a retired sale is a stranger to settlement",
        (
            runner.Settling._named_by,
            swap("[sale for sales in named for sale in sales]", '[sale for sales in named for sale in sales if hasattr(sale, "order")]'),
        ),
    ),
    # Records of newer code
    plant(
        "a change writes a record as this code has it",
        (
            transaction_documents.updated,
            swap(
                '{**stored, "record": {**stored["record"]}}',
                '{**stored, "record": {name: item for name, item in stored["record"].items() if name in _SALE_FIELDS}}',
            ),
        ),
    ),
    plant(
        "an outcome is replaced with all that newer code wrote into it",
        (transaction._in_place_of, before("    if known is None", "    return outcome")),
    ),
    plant(
        "an announcement that only newer code makes is forgotten",
        (transaction.announced, swap("if event not in published", "if event not in published and event in list(EventName)")),
    ),
    plant(
        "a sale that only newer code can announce is closed",
        (
            transaction.reindexed,
            swap("sale.is_unfinished or sale.unannounced", "sale.is_unfinished or set(sale.unannounced) & set(EventName)"),
        ),
    ),
)
