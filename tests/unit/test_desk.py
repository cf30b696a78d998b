"""What operators see has a bound, and a decision about the brake is on the list if and only if it took effect."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec import structs

from shared import decisions
from shared.brake import Brake
from shared.concurrency import each
from shared.operating import MOST_DECISIONS, MOST_FOUND, Operating
from shared.ports import Rules
from shared.problem import Problem
from shared.reports import LISTED, Reporting
from shared.store import Conflict, LookupBy, Paper, PaperKind, StoreUnavailable
from shared.store.sqlite import SqliteStore
from shared.transaction import business_day
from shared.vas import Mode, VasType
from tests.sales import ORDER, vended

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
    brake = Brake(store, mode, now)
    return Operating(store=store, supplier=None, events=None, rules=Rules(mode=mode), now=now, new_id=lambda: str(uuid4()), brake=brake)


async def test_a_search_says_when_there_are_more_sales_than_it_shows(store):
    desk = operating(store)
    for number in range(MOST_FOUND + 1):
        found, more = await desk.search(LookupBy.METER_NUMBER, ORDER.meter_number)
        assert (len(found), more) == (number, False)
        await store.create(structs.replace(vended(), id=f"{number:032x}"))
    found, more = await desk.search(LookupBy.METER_NUMBER, ORDER.meter_number)
    assert (len(found), more) == (MOST_FOUND, True)


async def test_the_last_decisions_about_the_brake_are_shown_newest_first(store):
    desk = operating(store)
    for number in range(MOST_DECISIONS + 1):
        seen = await desk.pause((VasType.DATA,), f"reason {number}", None, WHO)
    assert [decision["reason"] for decision in seen.decisions] == [f"reason {number}" for number in range(MOST_DECISIONS, 0, -1)]


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
        await store.write_paper(PaperKind.SETTLEMENTS, Paper(f"simulated-{day}", body, mark))
    reporting = Reporting(store=store, mode=Mode.SIMULATED, now=lambda: AT, each=each)
    assert [one["day"] for one in await reporting.days()] == [day.isoformat() for day in reversed(days[1:])]


def test_an_unknown_decision_is_refused_in_our_words():
    with pytest.raises(Problem) as refused:
        decisions.closure({"decision": "ignored", "note": "Why."})
    (fault,) = refused.value.members["errors"]
    assert (fault["field"], fault["message"]) == ("decision", "must be 'accepted', 'written-off' or 'corrected'")
