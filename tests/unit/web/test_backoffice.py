"""Operators' lists have a bound, and a decision about the brake is listed if and only if it took effect."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import REVEALED, State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.lib.concurrency import each
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import LookupBy
from shared.schemas import operator_requests
from shared.schemas.problems import Problem
from shared.settlement.closing import Closing, DiscrepancyClosed, DiscrepancyUnknown
from shared.settlement.reporting import LISTED, Reporting
from shared.store.sqlite import SqliteStore
from shared.vending.circuit_breaker import CircuitBreaker, Pause
from shared.vending.operator_actions import Operating, Selling
from shared.vending.recorder import Recorder
from shared.web.backoffice import _paused
from tests.logged import logged
from tests.sales import ORDER, vended

MAX_FOUND, MAX_DECISIONS = 100, 50

AT = datetime(2026, 5, 2, 5, tzinfo=UTC)
WHO = "thandi@wallet.example"


class Moved:
    """A clock that stands a second later each time it is read."""

    def __init__(self):
        self.at = AT

    def __call__(self):
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(str(tmp_path / "sales.sqlite"), timeout_seconds=10)
    yield opened
    await opened.close()


def operating(store):
    now, mode = Moved(), Mode.SIMULATED
    brake = CircuitBreaker(store, mode, now)
    recorder = Recorder(store=store, events=None, rules=VendingPolicy(mode=mode), now=now, new_id=lambda: str(uuid4()))
    return Operating(recorder=recorder, store=store, brake=brake)


def closing(store):
    return Closing(store=store, mode=Mode.SIMULATED, now=Moved())


async def test_a_search_says_when_there_are_more_sales_than_it_shows(store):
    desk = operating(store)
    for number in range(MAX_FOUND + 1):
        found, more = await desk.search(LookupBy.METER_NUMBER, ORDER.meter_number)
        assert (len(found), more) == (number, False)
        await store.create(structs.replace(vended(), id=f"{number:032x}"))
    found, more = await desk.search(LookupBy.METER_NUMBER, ORDER.meter_number)
    assert (len(found), more) == (MAX_FOUND, True)


async def test_an_operator_finds_only_sales_of_the_mode_and_unreadable_ones_too(store, monkeypatch):
    desk, asked = operating(store), []
    sold, live = structs.replace(vended(), mode=Mode.SIMULATED), structs.replace(vended(), mode=Mode.LIVE, id="b" * 32)
    held = {sold.id: sold, live.id: live}

    async def find(sale_id):
        return held.get(sale_id)

    async def lookup(*given):
        asked.append(given)
        return found

    monkeypatch.setattr(store, "find", find)
    monkeypatch.setattr(store, "lookup", lookup)
    assert [await desk.find(sale_id) for sale_id in (sold.id, live.id, "c" * 32)] == [sold, None, None]
    found = [Unread(id=f"{number:032x}") for number in range(MAX_FOUND + 1)]
    assert await desk.search(LookupBy.REQUEST_ID, "r") == (found[:MAX_FOUND], True)
    found = [Unread(id="d" * 32), sold]
    assert await desk.search(LookupBy.REQUEST_ID, "r") == (found, False)
    assert asked == [(Mode.SIMULATED, LookupBy.REQUEST_ID, "r", MAX_FOUND + 1)] * 2


async def test_the_last_decisions_about_the_brake_are_shown_newest_first(store):
    desk = operating(store)
    for number in range(MAX_DECISIONS + 1):
        seen = await desk.pause((VasType.DATA,), f"reason {number}", None, WHO)
    assert [decision["reason"] for decision in seen.decisions] == [f"reason {number}" for number in range(MAX_DECISIONS, 0, -1)]


async def test_a_decision_that_met_another_is_not_listed(store, monkeypatch):
    desk = operating(store)
    await desk.pause((VasType.DATA,), "the first", None, WHO)
    written = store.write_paper

    async def after_another(kind, paper, beside=None):
        monkeypatch.undo()
        await operating(store).brake.set({})
        return await written(kind, paper, beside)

    monkeypatch.setattr(store, "write_paper", after_another)
    with pytest.raises(Conflict):
        await desk.pause((VasType.VOUCHER,), "too late", None, WHO)
    seen = await desk.selling()
    assert ([decision["reason"] for decision in seen.decisions], seen.pauses) == (["the first"], {})


@pytest.mark.parametrize("written", [False, True])
async def test_a_decision_whose_answer_was_lost_is_listed_if_and_only_if_it_took_effect(store, monkeypatch, written):
    desk, write = operating(store), store.write_paper

    async def lost(kind, paper, beside=None):
        if written:
            await write(kind, paper, beside)
        raise StoreUnavailable

    monkeypatch.setattr(store, "write_paper", lost)
    with pytest.raises(StoreUnavailable):
        await desk.pause((VasType.VOUCHER,), "why", None, WHO)
    seen = await desk.selling()
    assert bool(seen.decisions) == bool(seen.pauses) == written


async def test_the_days_that_are_listed_are_the_last_ones(store):
    today = business_day(AT)
    days = [today - LISTED - timedelta(days=1), today - LISTED, today - timedelta(days=2), today - timedelta(days=1), today]
    for day, mark in zip(days, ("simulated-ended", "simulated-ended", "simulated", "simulated-ended", "simulated"), strict=True):
        body = {"day": day.isoformat(), "status": "balanced", "file": None, "version": 1}
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"simulated-{day}", body, mark))
    reporting = Reporting(store=store, mode=Mode.SIMULATED, now=lambda: AT, each=each)
    assert [one["day"] for one in await reporting.days()] == [day.isoformat() for day in reversed(days[1:])]


def test_an_unknown_decision_is_refused_in_our_words():
    with pytest.raises(Problem) as refused:
        operator_requests.closure({"decision": "ignored", "note": "Why."})
    (fault,) = refused.value.members["errors"]
    assert (fault["field"], fault["message"]) == ("decision", "must be 'accepted', 'written-off' or 'corrected'")


async def test_a_sale_of_the_other_mode_is_nobodys_here(store):
    desk, sale = operating(store), vended()
    await store.create(sale)
    await store.create(structs.replace(sale, id="f" * 32, mode=Mode.LIVE))
    assert (await desk.find(sale.id)).id == sale.id
    assert await desk.find("f" * 32) is None and await desk.find("0" * 32) is None


async def test_who_sees_tokens_is_on_record_and_in_the_log_before_they_are_shown(store, caplog):
    desk, sale = operating(store), await store.create(vended())
    shown = await desk.reveal(sale, WHO)
    entry = (await store.find(sale.id)).history[-1]
    assert (entry.what, entry.by) == (REVEALED, WHO) and shown.history[-1] == entry
    assert shown.version == sale.version
    assert logged(caplog) == [("WARNING", "tokens revealed", {"transaction_id": sale.id, "operator": WHO})]


def discrepancy(mode=Mode.SIMULATED, **body):
    return Document(f"{mode}-d-1", {"id": "d-1", "kind": "missing_here", "status": "open", "closure": None, **body}, f"{mode}-open")


async def test_a_discrepancy_is_closed_once_with_who_when_and_why(store, caplog):
    caplog.set_level("INFO", "gateway")
    desk = closing(store)
    await store.write_paper(DocumentKind.DISCREPANCIES, discrepancy())
    closed = await desk.close("d-1", "accepted", "Seen on 12345678901.", WHO)
    closure = {"decision": "accepted", "note": "Seen on *8901.", "by": WHO, "at": "2026-05-02T05:00:01.000000Z"}
    assert closed == {"id": "d-1", "kind": "missing_here", "status": "accepted", "closure": closure}
    held = await store.read_paper(DocumentKind.DISCREPANCIES, "simulated-d-1")
    assert (held.body, held.mark) == (closed, "simulated-closed")  # until retention has looked at its sale
    assert logged(caplog) == [("INFO", "discrepancy closed", {"discrepancy_id": "d-1", "decision": "accepted", "operator": WHO})]
    assert await desk.close("d-1", "accepted", "Seen on 12345678901.", WHO) == closed
    for other in (("corrected", "Seen on 12345678901.", WHO), ("accepted", "Why?", WHO), ("accepted", "Seen on 12345678901.", "another")):
        with pytest.raises(DiscrepancyClosed) as refused:
            await desk.close("d-1", *other)
        assert refused.value.body == closed
    assert (await store.read_paper(DocumentKind.DISCREPANCIES, "simulated-d-1")).body == closed and len(logged(caplog)) == 1


async def test_a_discrepancy_of_the_other_mode_or_none_is_unknown(store):
    await store.write_paper(DocumentKind.DISCREPANCIES, discrepancy(Mode.LIVE))
    with pytest.raises(DiscrepancyUnknown):
        await closing(store).close("d-1", "accepted", "Why.", WHO)


async def test_one_that_the_settlement_closed_is_not_closed_again(store):
    await store.write_paper(DocumentKind.DISCREPANCIES, discrepancy(status="corrected"))
    with pytest.raises(DiscrepancyClosed):
        await closing(store).close("d-1", "accepted", "Why.", WHO)


async def test_a_closure_that_somebody_overtakes_is_made_on_what_they_wrote(store, monkeypatch):
    desk = closing(store)
    await store.write_paper(DocumentKind.DISCREPANCIES, discrepancy())
    write, overtaken = store.write_paper, []

    async def slow(kind, paper, beside=None):
        if not overtaken:
            overtaken.append(await write(kind, structs.replace(paper, body=discrepancy(day="2026-05-01").body, mark="simulated-open")))
        return await write(kind, paper, beside)

    monkeypatch.setattr(store, "write_paper", slow)
    assert (await desk.close("d-1", "accepted", "Why.", WHO))["day"] == "2026-05-01"


async def test_a_pause_says_what_why_until_when_and_by_whom(store):
    desk = operating(store)
    until = AT + timedelta(hours=1)
    selling = await desk.pause({VasType.DATA, VasType.AIRTIME}, "Meter 12345678901 is stuck.", until, WHO)
    assert selling.pauses == dict.fromkeys(
        (VasType.AIRTIME, VasType.DATA), Pause("Meter *8901 is stuck.", until, WHO, AT + timedelta(seconds=1))
    )
    assert selling.decisions == [
        {
            "at": "2026-05-02T05:00:01+00:00",
            "by": WHO,
            "paused": ["airtime", "data"],
            "reason": "Meter *8901 is stuck.",
            "until": "2026-05-02T06:00:00+00:00",
        }
    ]
    assert (await store.read_paper(DocumentKind.CONTROLS, "simulated-selling-20260502T050001000000")).mark == "simulated-selling"
    released = await desk.pause((), "Mended.", None, WHO)
    assert (released.pauses, released.decisions[0]["until"], len(released.decisions)) == ({}, None, 2)


async def test_decisions_about_the_brake_are_shown_for_four_hundred_days(store):
    desk = operating(store)
    for days in (401, 399):
        at = AT - timedelta(days=days)
        await store.write_paper(DocumentKind.CONTROLS, Document(desk._decision_id(at), {"days": days}, "simulated-selling"))
    assert [decision["days"] for decision in (await desk.selling()).decisions] == [399]


@pytest.mark.parametrize("wrong", [None, 5, "soon", [], {}, [None], "2026-05-01T10:00:00"], ids=str)
def test_a_damaged_decision_about_the_brake_is_left_out_and_said(wrong, caplog):
    whole = {"at": AT.isoformat(), "by": WHO, "paused": ["data", "gift-card"], "reason": "why", "until": None, "more": {"of": "newer code"}}
    names = {"soon": ("at", "until"), "2026-05-01T10:00:00": ("at", "until")}.get(str(wrong), ("at", "by", "paused", "reason"))
    for name in names:
        if (name, wrong) == ("paused", []):
            continue
        shown = _paused(Selling({}, [{**whole, name: wrong}, whole]))["decisions"]
        assert [decision["paused"] for decision in shown] == [["data", "gift-card"]] and "more" not in shown[0]
    assert {line.message for line in caplog.records} == {"record not readable"}


NOTE = {
    "description": "Why. Long runs of digits are masked.",
    "maxLength": 500,
    "minLength": 1,
    "pattern": r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]+$",
    "type": "string",
}


@pytest.mark.parametrize(
    ("body", "name"),
    [(operator_requests.ResolutionBody, "note"), (operator_requests.ClosureBody, "note"), (operator_requests.SellingBody, "reason")],
)
def test_the_schema_says_what_a_note_may_hold(body, name):
    schema = body.model_json_schema()["properties"][name]
    assert {**schema, "title": None} == {**NOTE, "title": None}
    for text, is_note in (
        ("Why.", True),
        ("two\nlines", True),
        ("\x00", False),
        ("\t", False),
        ("\x0b", False),
        ("\x7f", False),
        ("", False),
    ):
        assert bool(re.search(schema["pattern"], text)) is is_note


def test_the_schema_says_what_else_operators_may_send():
    said = operator_requests.ResolutionBody.model_json_schema()["properties"]
    assert (said["version"]["minimum"], said["tokens"]["anyOf"][0]["maxItems"]) == (1, 20)
    assert said["tokens"]["anyOf"][0]["items"]["maxLength"] == 40
    paused = operator_requests.SellingBody.model_json_schema()["properties"]
    assert paused["paused"]["maxItems"] == 10 and set(VasType) < set(paused["paused"]["items"]["enum"])
    assert paused["until"]["anyOf"][0] == {"format": "date-time", "type": "string"}


def faults(read, body, *more):
    with pytest.raises(Problem) as refused:
        read(body, *more)
    return {error["field"]: error["message"] for error in refused.value.members["errors"]}


WHY = {"note": "Why."}


def test_a_decision_on_a_sale_is_read_as_it_was_sent():
    read = operator_requests.resolution({"version": 3, "state": "vended", "tokens": ["1234 5678"], **WHY})
    assert (read.version, read.state, read.tokens, read.note) == (3, State.VENDED, ("1234 5678",), "Why.")
    added = operator_requests.resolution({"version": 1, "tokens": [], **WHY})
    assert (added.state, added.tokens) == (None, ())
    refused = operator_requests.resolution({"version": 1, "state": "rejected", **WHY})
    assert (refused.state, refused.tokens) == (State.REJECTED, None)
    assert operator_requests.closure({"decision": "written-off", **WHY}) == ("written-off", "Why.")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"version": 1}, {"state": "either this or tokens is required"}),
        ({"version": 1, "state": "rejected", "tokens": []}, {"tokens": "is not expected of what was rejected"}),
        ({"version": 1, "state": "in_doubt"}, {"state": "must be 'vended' or 'rejected'"}),
        ({"version": 1, "tokens": ["1"] * 20 + ["?"]}, {"tokens": None}),
        ({"version": 1, "tokens": "1"}, {"tokens": "must be a list"}),
        ({"version": 0, "tokens": []}, {"version": None}),
    ],
)
def test_a_decision_that_says_nothing_or_too_much_is_refused(body, told):
    said = faults(operator_requests.resolution, {**body, **WHY})
    assert said.keys() == told.keys() and all(message in (None, said[field]) for field, message in told.items())


@pytest.mark.parametrize(
    ("token", "is_one"),
    [
        *((token, True) for token in ("1", "0000 1111-2222", "aB-9", "1" * 40)),
        *((token, False) for token in ("", " 1", "1 ", "1  2", "1_2", "1" * 41, "\u0661", "1\n2")),
    ],
)
def test_a_token_is_letters_or_digits_in_groups(token, is_one):
    body = {"version": 1, "tokens": [token], **WHY}
    if is_one:
        assert operator_requests.resolution(body).tokens == (token,)
    else:
        assert set(faults(operator_requests.resolution, body)) == {"tokens.0"}


@pytest.mark.parametrize(
    ("note", "is_one"),
    [
        *((note, True) for note in ("x", "x" * 500, " a\nb ", "Zo\u00eb")),
        *((note, False) for note in ("", "x" * 501, "   ", "\n", "a\tb", "a\x00", "\x85a", "\ud800a", 7, None)),
    ],
)
def test_a_note_says_why_in_up_to_500_characters(note, is_one):
    body = {"decision": "accepted", "note": note}
    if is_one:
        assert operator_requests.closure(body) == ("accepted", note)
    else:
        assert set(faults(operator_requests.closure, body)) == {"note"}


@pytest.mark.parametrize(
    ("until", "read"),
    [
        (None, None),
        ("2026-05-02T05:00:00.000001Z", AT + timedelta(microseconds=1)),
        ("2026-05-02T07:00:01+02:00", AT + timedelta(seconds=1)),
        *((until, "must be a time with its zone: 2026-05-01T10:00:00Z") for until in ("soon", "2026-05-02T06:00:00", "2026-05-02")),
        *(
            (f"2026-{until}", "must be a time with its zone: 2026-05-01T10:00:00Z")
            for until in ("05-32T06:00:00Z", "05-02T06:00Z", "05-02 06:00:00Z")
        ),
        ("9999-12-31T23:59:59-23:59", "must be a time with its zone: 2026-05-01T10:00:00Z"),
        *((until, "must lie ahead") for until in ("2026-05-02T05:00:00Z", "2026-05-02T06:59:59+02:00")),
    ],
)
def test_a_pause_ends_at_a_moment_ahead_or_when_somebody_says_so(until, read):
    body = {"paused": ["electricity", "utility", "data"], "reason": "Why.", **({} if until is None else {"until": until})}
    if isinstance(read, str):
        assert faults(operator_requests.selling, body, AT) == {"until": read}
    else:
        assert operator_requests.selling(body, AT) == (frozenset({VasType.UTILITY, VasType.DATA}), "Why.", read)


def test_a_pause_names_services():
    assert set(faults(operator_requests.selling, {"paused": ["gas"], "reason": "Why."}, AT)) == {"paused.0"}
    assert set(faults(operator_requests.selling, {"paused": ["data"] * 11, "reason": "Why."}, AT)) == {"paused"}
    assert operator_requests.selling({"paused": ["data"] * 10, "reason": "Why."}, AT)[0] == frozenset({VasType.DATA})
