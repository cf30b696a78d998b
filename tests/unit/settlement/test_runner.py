"""Settling days: what is healed, kept and said; that nothing is done twice; and that a crash anywhere changes nothing."""

import json
import zlib
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, NoSuchTransaction, Reason, Receipt, Rejected, Reprint, TokensDue, Unknown, Vended
from shared.domain.transaction import SHARDS, EventName, State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_writer import detail
from shared.ports.documents import Document, DocumentKind
from shared.ports.settlement_files import FilesUnavailable
from shared.settlement.matching import ONE_DAY
from shared.settlement.repository import progress_id
from shared.settlement.runner import NoBusinessDay, _Evidence
from tests.archive import Archive, bill
from tests.file_forms import Form, formed
from tests.step_driver import START, boundaries, boundary, delivered, electricity, run

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
MORNING = datetime(2026, 5, 2, 4, tzinfo=UTC)  # 06:00 in Johannesburg
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LOST = Unknown("ReadTimeout")


def sell(world, answer=None, *, at=START, cents=10_000):
    """A sale as its answer left it; without one, vended under a GUID of the supplier's, with its token."""
    number = len(world.sales)
    given = answer or Vended(Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=TokensDue.NONE))
    now, world.now, world.answers = world.now, at, [given]
    sale = run(world.vending.purchase(electricity(f"key-{number}", cents=cents, allow_duplicate=True))).transaction
    world.now = now
    world.written = 0
    return sale


def settle(world, day=None, until=LATER):
    return run(world.settling().settle(day, until))


def world_at(at, **shape):
    return Archive(now=at, **shape)


def only(settled):
    (body,) = settled.days
    return body


def balanced(world):
    """A day on which all is well, and the next one's file."""
    sales = [sell(world, cents=cents) for cents in (10_000, 20_000)]
    world.deliver(DAY, *map(bill, sales))
    world.deliver(NEXT)
    return sales


def test_a_day_is_provisional_until_the_next_days_file_is_in_and_that_one_closes_it_as_a_new_version():
    world = world_at(MORNING)
    sale = sell(world)
    world.deliver(DAY, bill(sale))
    assert (only(settle(world, DAY))["status"], only(settle(world, DAY))["version"]) == ("provisional", 1)
    world.now += ONE_DAY
    world.deliver(NEXT)
    assert only(settle(world, NEXT))["day"] == "2026-05-02"
    closed = world.days["live-2026-05-01"]
    assert (closed["status"], closed["version"], closed["matched"]) == ("balanced", 2, {"rows": 1, "totalCents": 10_000})
    assert world.days["live-2026-05-01-v0001"]["status"] == "provisional" and world.days["live-2026-05-01-v0002"] == closed
    assert {paper.id: paper.mark for paper in world.papers.values() if paper.mark} == {
        "live-2026-05-01": "live-ended",
        "live-2026-05-02": "live",
    }


def test_the_same_inputs_again_write_nothing_and_answer_the_same_bytes():
    world = world_at(MORNING + ONE_DAY)
    balanced(world)
    sell(world, LOST)
    for day in (DAY, None):
        first = settle(world, day)
        world.written = 0
        assert json.dumps(settle(world, day).days) == json.dumps(first.days) and world.written == 0


def test_without_a_day_every_unsettled_one_is_settled_oldest_first():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world)
    assert [(body["day"], body["status"]) for body in settled.days] == [
        ("2026-05-01", "balanced"),
        ("2026-05-02", "provisional"),
        ("2026-05-03", "file_missing"),
    ]
    world.now += ONE_DAY
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]


def test_a_system_without_a_past_settles_yesterday_and_misses_its_file(caplog):
    world = world_at(MORNING)
    assert [(body["day"], body["status"]) for body in settle(world).days] == [("2026-05-01", "file_missing")]
    assert "settlement file missing" in caplog.text


def test_a_file_that_comes_late_settles_its_day_and_those_around_it():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale))
    settle(world)
    world.deliver(NEXT)
    assert [(body["day"], body["status"]) for body in settle(world).days][:2] == [("2026-05-01", "balanced"), ("2026-05-02", "provisional")]


def test_today_is_provisional_and_the_future_is_refused():
    world = world_at(START + timedelta(hours=1))
    world.deliver(DAY, bill(sell(world)))
    assert only(settle(world, DAY))["status"] == "provisional"
    for other in (NEXT, date.min):
        with pytest.raises(NoBusinessDay):
            settle(world, other)
    assert set(world.days) == {"live-2026-05-01", "live-2026-05-01-v0001", "live-2026-05-01-run"}


def test_a_mistyped_day_before_the_first_sale_and_file_is_refused_and_leaves_nothing_behind():
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    settle(world)
    papers = set(world.days)
    for day in (DAY - ONE_DAY, DAY - 40 * ONE_DAY, date(2020, 1, 1)):
        with pytest.raises(NoBusinessDay):
            settle(world, day)
    assert set(world.days) == papers


def test_a_run_over_all_days_ends_with_yesterday_although_today_was_settled_by_hand():
    world = world_at(START + timedelta(hours=1))
    world.deliver(DAY, bill(sell(world)))
    settle(world, DAY)
    assert [body["day"] for body in settle(world).days] == ["2026-04-30"]


def test_yesterdays_last_sale_is_not_missed_while_the_file_that_bills_it_is_of_a_day_that_still_runs(caplog):
    late = datetime(2026, 5, 1, 21, 58, tzinfo=UTC)
    world = world_at(MORNING)
    first, last = sell(world), sell(world, at=late)
    world.deliver(DAY, bill(first))
    world.deliver(NEXT)
    assert [body["status"] for body in settle(world).days] == ["provisional"]
    world.now += ONE_DAY
    world.deliver(NEXT, bill(last), stamp="20260503060000")
    assert [body["status"] for body in settle(world).days] == ["balanced", "provisional"]
    assert "discrepancy found" not in caplog.text and world.discrepancies == []


def test_a_lost_answer_is_healed_by_its_line_and_its_token_is_to_be_recovered():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale))
    body = only(settle(world, DAY))
    healed = world.sales[sale.id]
    assert healed.state is State.VENDED and healed.tokens_pending and healed.history[-1].by == "settlement"
    assert healed.answers[-1].source == "settlement" and healed.answers[-1].body.startswith(b"D|Utility|")
    assert (sale.id, EventName.VENDED, State.VENDED) in world.topic and not healed.unannounced
    assert [one["transactionId"] for one in body["healed"]] == [one["transactionId"] for one in body["tokensToRecover"]] == [sale.id]
    assert body["discrepancies"] == [] and all(books["residue"] == {"rows": 0, "cents": 0} for books in body["conservation"])


def test_a_lost_answer_that_a_file_healed_takes_its_token_from_a_reprint_that_spells_the_guid_otherwise():
    guid = "6B0F6A52-0D1C-4C3C-9A53-1F2F4F1F9A10"
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale, guid))
    settle(world, DAY)
    assert world.sales[sale.id].receipt.supplier_transaction_id == guid
    world.now += timedelta(hours=2)
    world.reprints = [Vended(structs.replace(delivered("00000001").receipt, supplier_transaction_id=guid.lower()))]
    run(world.sweeping.sweep(LATER))
    whole = world.sales[sale.id]
    assert whole.receipt.tokens and whole.history[-1].what == "tokens added" and whole.open is None
    assert not world.discrepancies


def test_a_sale_that_no_file_bills_is_rejected_when_all_its_files_are_in():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    sale = sell(world, LOST, cents=7_700)
    control = sell(world, at=START + ONE_DAY)
    world.deliver(NEXT, bill(control))
    body = only(settle(world, DAY))
    ended = world.sales[sale.id]
    assert ended.state is State.REJECTED and ended.history[-1].by == "settlement" and ended.open is None
    assert [(one["transactionId"], one["state"]) for one in body["healed"]] == [(sale.id, "rejected")]


def test_absence_proves_nothing_once_a_sign_of_a_vend_was_seen_even_if_it_comes_while_the_files_are_read():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    sale = sell(world, LOST, cents=7_700)
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before compare":
        pass
    world.sales[sale.id] = structs.replace(world.sales[sale.id], sign_of_vend=True, revision="later")
    run(settling)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_file_with_other_ids_never_makes_a_vend_rejected():
    world = world_at(MORNING + 2 * ONE_DAY)
    sales = [sell(world), sell(world, LOST), sell(world, LOST, cents=7_700)]
    strange = [bill(sale, f"cccccccc-0000-4000-8000-{at:012d}", merchant_id=f"number {at}") for at, sale in enumerate(sales)]
    world.deliver(DAY, *strange)
    world.deliver(NEXT)
    body = only(settle(world, DAY))
    assert [world.sales[sale.id].state for sale in sales] == [State.VENDED, State.IN_DOUBT, State.IN_DOUBT]
    assert {one["transactionId"] for one in body["open"]} == {sales[1].id, sales[2].id} and body["healed"] == []


class Forgetful(Archive):
    """Its supplier knows of those sales only that it has answered."""

    async def reprint(self, sale):
        await boundary("before reprint")
        return Reprint(sale.outcome if isinstance(sale.outcome, Vended) else NoSuchTransaction())


@pytest.mark.parametrize("status", ["Binned", "Pending"])
def test_a_line_that_names_a_sale_and_does_not_bill_it_is_a_sign_of_a_vend_that_no_reprint_takes_back(status):
    world = Forgetful(now=MORNING)
    control, sale = sell(world, cents=5_000), sell(world, LOST)
    world.deliver(DAY, bill(control), bill(sale, status=status))
    settle(world, DAY)
    for _ in range(2):
        world.wait(3700)
        run(world.sweeping.sweep(LATER))
    named = world.sales[sale.id]
    assert (named.state, named.sign_of_vend, named.history[-1].what) == (State.IN_DOUBT, True, "sign of a vend")
    assert named.history[-1].note == "named by line 3 of the settlement file of 2026-05-01"
    assert named.answers[-1].source == "settlement" and status.encode() in named.answers[-1].body


def test_a_line_of_a_later_file_that_names_a_sale_is_a_sign_of_a_vend_that_no_absence_takes_back():
    world = world_at(MORNING + 4 * ONE_DAY)
    control, sale = sell(world, cents=5_000), sell(world, LOST, cents=7_700)
    second, third = sell(world, at=START + ONE_DAY, cents=5_100), sell(world, at=START + 3 * ONE_DAY, cents=5_200)
    world.deliver(DAY, bill(control))
    world.deliver(DAY + 3 * ONE_DAY, bill(third), bill(sale, status="Pending"))
    settle(world)
    world.deliver(NEXT, bill(second))
    body = settle(world).days[0]
    assert world.sales[sale.id].state is State.IN_DOUBT
    assert [one["transactionId"] for one in body["open"]] == [sale.id] and body["healed"] == []
    world.written = 0
    settle(world)
    assert world.written == 0


def test_a_sale_that_has_ended_is_left_alone_by_a_line_that_does_not_bill_it():
    world = world_at(MORNING)
    sales = [sell(world), sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))]
    world.deliver(DAY, *(bill(sale, status="Binned") for sale in sales))
    before = dict(world.sales)
    settle(world, DAY)
    assert world.sales == before


def test_a_sale_that_ends_while_the_files_are_read_is_not_contradicted_by_a_line_that_does_not_bill_it():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale, status="Binned"))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before compare":
        pass
    refusal = Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))
    ended = run(world.recorder.apply_answer(world.sales[sale.id], refusal, by="supplier"))
    run(settling)
    assert (world.sales[sale.id].state, world.sales[sale.id].history) == (State.REJECTED, ended.history)


def test_a_vend_after_a_rejection_is_kept_noted_and_announced_once(caplog):
    world = world_at(MORNING)
    sale = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))
    world.deliver(DAY, bill(sale))
    for _ in range(3):
        body = only(settle(world, DAY))
    assert [found["kind"] for found in body["discrepancies"]] == ["vended_after_rejection"]
    held = world.sales[sale.id]
    assert held.state is State.REJECTED and [entry.what for entry in held.history].count("contradicted") == 1
    assert [event for _, event, _ in world.topic].count(EventName.CONTRADICTED) == 1
    assert caplog.text.count("discrepancy found") == 1


def test_a_line_that_names_a_sale_of_long_ago_is_no_stranger():
    world = world_at(MORNING)
    old = sell(world, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    assert [found["kind"] for found in only(settle(world, DAY))["discrepancies"]] == ["late_posting"]


def test_a_line_that_names_an_old_sale_in_doubt_heals_it_by_the_suppliers_id_too():
    world = world_at(MORNING)
    old = sell(world, LOST, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    settle(world, DAY)
    assert world.sales[old.id].state is State.VENDED


def test_a_discrepancy_stays_open_in_later_reports_until_a_person_closes_it():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    settle(world)
    (found,) = world.discrepancies
    assert (found["kind"], found["status"], found["closure"], found["day"]) == ("amount_differs", "open", None, "2026-05-01")
    assert [one["id"] for one in world.days["live-2026-05-02"]["discrepancies"]] == [found["id"]]
    close(world, found)
    assert only(settle(world, DAY))["status"] == "balanced"
    assert world.days["live-2026-05-01"]["discrepancies"][0]["status"] == "accepted"
    assert only(settle(world, NEXT))["discrepancies"] == []


def close(world, found):
    key = DocumentKind.DISCREPANCIES, f"live-{found['id']}"
    closure = {"decision": "accepted", "note": "a cent", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}
    body = {**found, "status": "accepted", "closure": closure}
    world.papers[key] = structs.replace(world.papers[key], body=body, mark=None, revision="closed")


def test_a_later_file_of_the_day_is_a_correction_and_closes_what_it_no_longer_shows():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    assert settle(world).days[0]["status"] == "discrepancies"
    corrected = world.deliver(DAY, bill(sale), stamp="20260503120000")
    body = settle(world).days[0]
    assert (body["status"], body["version"], body["file"]["name"]) == ("balanced", 2, corrected)
    assert world.days["live-2026-05-01-v0001"]["status"] == "discrepancies"
    (found,) = world.discrepancies
    assert (found["status"], found["closure"]["by"]) == ("corrected", "settlement")


def test_the_same_bytes_under_another_name_change_nothing():
    world = world_at(MORNING + 2 * ONE_DAY)
    sales = balanced(world)
    first = settle(world, DAY)
    world.written = 0
    world.deliver(DAY, *map(bill, sales), stamp="20260503120000")
    assert settle(world, DAY) == first and world.written == 0


def test_a_file_that_was_corrected_under_its_name_is_news_although_its_day_has_ended():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    name = world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    assert settle(world).days[0]["status"] == "discrepancies"
    assert world.deliver(DAY, bill(sale)) == name
    body = settle(world).days[0]
    assert (body["day"], body["status"], body["version"]) == ("2026-05-01", "balanced", 2)
    world.written = 0
    settle(world)
    assert world.written == 0


def test_a_broken_file_that_was_mended_under_its_name_is_news_to_the_day_before():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    name = world.deliver(NEXT)
    whole = world.shelf.files[name]
    spoil(world, name)
    assert only(settle(world, DAY))["status"] == "provisional"
    world.shelf.files[name] = whole
    settle(world, NEXT)
    assert world.days["live-2026-05-01"]["status"] == "balanced"


def test_a_day_settled_when_files_were_known_by_their_names_alone_is_settled_once_more_and_behind_all_that_is_news():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    name = world.deliver(DAY, bill(sale, amount="10001"))
    world.deliver(NEXT)
    settle(world)
    for (kind, paper_id), paper in world.papers.items():
        if paper_id.endswith("-run"):
            named = {day: known.partition("/")[0] for day, known in paper.body["files"].items()}
            world.papers[kind, paper_id] = structs.replace(paper, body={**paper.body, "files": named})
    assert world.deliver(DAY, bill(sale)) == name
    world.deliver(NEXT + ONE_DAY)
    begun = days_begun(world)
    assert begun == ["2026-05-02", "2026-05-03", "2026-05-01"]
    assert world.days["live-2026-05-01"]["status"] == "balanced"
    assert days_begun(world) == ["2026-05-03"]  # which had carried what has been closed since
    world.written = 0
    assert days_begun(world) == ["2026-05-03"] and world.written == 0


def days_begun(world):
    """The days that a run settles, in its order."""
    begun, read = [], world.shelf.read

    async def watched(files, reading):
        if isinstance(reading, partial) and reading.args[0].isoformat() not in begun:
            begun.append(reading.args[0].isoformat())
        return await read(files, reading)

    world.shelf.read = watched
    settle(world)
    del world.shelf.read
    return begun


def refused(world, day=DAY):
    """The refusal of a day, after which nothing has changed but that it is on record."""
    before = changed_by_settling(world)
    settled = settle(world, day)
    assert settled.days == () and changed_by_settling(world) == before
    (one,) = settled.refused
    return one.refusal


def changed_by_settling(world):
    """The sales, and the papers but for what is on record of the runs."""
    return dict(world.sales), {key: paper for key, paper in world.papers.items() if not key[1].endswith("-run")}


def test_files_of_two_merchants_in_one_place_are_refused(caplog):
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world, LOST)))
    world.deliver(DAY, stamp="20260502060000", merchant="OTHER")
    assert "several merchants" in refused(world).reason
    assert "settlement file refused" in caplog.text


def test_another_merchants_file_is_refused_for_its_day_and_does_not_stand_in_the_way_of_ours():
    world = world_at(MORNING)
    world.shelf.merchant = "ACME"
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale), merchant="OTHER")
    assert "another merchant" in refused(world).reason
    world.deliver(DAY, bill(sale))
    world.deliver(NEXT, merchant="OTHER")
    assert only(settle(world, DAY))["status"] == "provisional"


def test_another_merchants_files_of_past_days_are_no_days_of_ours(caplog):
    world = world_at(MORNING)
    world.shelf.merchant = "ACME"
    for back in range(1, 27):
        world.deliver(DAY - back * ONE_DAY, merchant="OTHER")
    world.deliver(DAY, bill(sell(world)))
    settled = settle(world)
    assert ([body["day"] for body in settled.days], settled.refused) == (["2026-05-01"], ())
    assert "settlement file refused" not in caplog.text


BROKEN = {
    "a wrong count": lambda content: content.replace(b"T|3", b"T|4"),
    "23 fields": lambda content: content.replace(b"|Purchase|", b"|"),
    "a float amount": lambda content: content.replace(b"|10000|", b"|100.00|"),
    "a bad GUID": lambda content: content.replace(b"aaaaaaaa-", b"aaaaaaag-"),
    "two headers": lambda content: content.split(b"\n")[0] + b"\n" + content,
    "no header": lambda content: content.split(b"\n", 1)[1],
    "a day that is none": lambda content: content.replace(b"H|1|20260501", b"H|1|20260532"),
    "a NUL byte": lambda content: content.replace(b"SimOperator", b"Sim\x00perator"),
    "a line without end": lambda content: content.replace(b"SimOperator", b"x" * 20_000),
    "text after the trailer": lambda content: content + b"more\n",
    "no trailer": lambda content: content.replace(b"T|3\n", b""),
    "nothing": lambda content: b"",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_breaks_the_format_is_refused_whole_and_changes_nothing(fault, caplog):
    world = world_at(MORNING + 2 * ONE_DAY)
    name = world.deliver(DAY, bill(sell(world, LOST)))
    whole = world.shelf.files[name]
    world.shelf.files[name] = BROKEN[fault](whole)
    assert world.shelf.files[name] != whole
    refusal = refused(world)
    assert refusal.file == name and 1 <= len(refusal.faults) <= 10
    assert "settlement file refused" in caplog.text


def spoil(world, name):
    world.shelf.files[name] = world.shelf.files[name].replace(b"T|", b"T|9")


def test_a_neighbours_broken_file_counts_as_not_there():
    world = world_at(MORNING + 3 * ONE_DAY)
    balanced(world)
    world.deliver(DAY + 2 * ONE_DAY)
    spoil(world, world.deliver(NEXT))
    settled = settle(world)
    assert [(body["day"], body["status"]) for body in settled.days] == [
        ("2026-05-01", "provisional"),
        ("2026-05-03", "provisional"),
        ("2026-05-04", "file_missing"),
    ]
    assert [one.day for one in settled.refused] == [NEXT]
    world.written = 0
    assert settle(world) == settled and world.written == 0


def test_a_first_day_whose_file_was_refused_is_settled_by_a_better_one_although_the_next_day_is_settled_already():
    world = world_at(MORNING)
    doubted = sell(world, LOST)
    spoil(world, world.deliver(DAY, bill(doubted)))
    assert [one.day for one in settle(world).refused] == [DAY]
    world.now = MORNING + ONE_DAY
    world.deliver(NEXT)
    assert "live-2026-05-02" in (settle(world) and world.days) and "live-2026-05-01" not in world.days
    world.deliver(DAY, bill(doubted), stamp="20260503120000")
    settle(world)
    assert world.sales[doubted.id].state is State.VENDED
    assert world.days["live-2026-05-01"]["status"] == "balanced"


def test_a_broken_correction_changes_nothing_of_what_the_file_before_it_led_to():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settle(world)
    assert world.days["live-2026-05-01"]["status"] == "balanced"
    spoil(world, world.deliver(NEXT, stamp="20260503120000"))
    assert "format" in refused(world).reason and "format" in refused(world, NEXT).reason
    assert world.days["live-2026-05-01"]["status"] == "balanced"


HEADER_BYTES = len("H|1|20260501\n")
UNREAD = {"unreadable": 0, "broken off": HEADER_BYTES}


@pytest.mark.parametrize("unread", UNREAD)
def test_a_file_that_cannot_be_read_costs_its_own_day_and_is_taken_up_again_when_it_can(unread, caplog):
    world = world_at(MORNING + 3 * ONE_DAY)
    sales = [sell(world, LOST if after == 1 else None, at=START + after * ONE_DAY) for after in range(4)]
    names = [world.deliver(DAY + after * ONE_DAY, bill(sale)) for after, sale in enumerate(sales)]
    world.shelf.unreadable[names[1]] = UNREAD[unread]
    settled = settle(world)
    assert [(body["day"], body["status"]) for body in settled.days] == [
        ("2026-05-01", "provisional"),
        ("2026-05-03", "balanced"),
        ("2026-05-04", "provisional"),
    ]
    (one,) = settled.refused
    assert (one.day, one.refusal.file, one.refusal.reason) == (NEXT, names[1], "the file cannot be read: Forbidden (403)")
    assert "settlement file refused" in caplog.text and "settlement file missing" not in caplog.text
    assert "live-2026-05-02" not in world.days and world.days["live-2026-05-02-run"]["refusal"]["file"] == names[1]
    world.written = 0
    assert settle(world) == settled and world.written == 0
    world.shelf.unreadable.clear()
    assert [body["status"] for body in settle(world).days] == ["balanced", "balanced", "balanced", "provisional"]
    assert world.days["live-2026-05-01"]["status"] == "balanced" and "refusal" not in world.days["live-2026-05-02-run"]
    assert world.sales[sales[1].id].state is State.VENDED


@pytest.mark.parametrize("unread", UNREAD)
def test_a_day_that_ended_beside_a_file_that_could_not_be_read_is_settled_with_it_once_it_can(unread):
    world = world_at(MORNING + 3 * ONE_DAY)
    early = sell(world, at=datetime(2026, 5, 1, 22, 1, tzinfo=UTC))
    name = world.deliver(DAY, bill(early))
    world.deliver(NEXT)
    world.deliver(NEXT + ONE_DAY)
    world.shelf.unreadable[name] = UNREAD[unread]
    settle(world)
    assert [found["kind"] for found in world.days["live-2026-05-02"]["discrepancies"]] == ["missing_at_supplier"]
    world.shelf.unreadable.clear()
    settle(world)
    assert world.days["live-2026-05-02"]["status"] == "balanced" and world.discrepancies[0]["status"] == "corrected"


def test_a_day_whose_file_cannot_be_read_is_not_forgotten_however_long_that_lasts():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    name = world.deliver(DAY, bill(sale))
    world.shelf.unreadable[name] = 0
    settle(world)
    for _ in range(8):
        world.now += 6 * ONE_DAY
        world.deliver((world.now - ONE_DAY).date())
        assert DAY in [one.day for one in settle(world).refused]
    world.shelf.unreadable.clear()
    assert (settle(world).days[0]["day"], world.sales[sale.id].state) == ("2026-05-01", State.VENDED)
    assert world.days["live-2026-05-01"]["status"] == "provisional"


def test_a_day_that_was_refused_when_a_later_file_billed_its_sale_carries_it_out_once_it_is_settled():
    world = world_at(MORNING + 6 * ONE_DAY)
    plain, late = sell(world), sell(world, cents=20_000)
    name = world.deliver(DAY, bill(plain))
    for after in (1, 2, 3, 4, 5):
        world.deliver(DAY + after * ONE_DAY, *([bill(late)] if after == 3 else []))
    world.shelf.unreadable[name] = HEADER_BYTES
    settle(world)
    world.shelf.unreadable.clear()
    settle(world)
    day = world.days["live-2026-05-01"]
    assert [found["kind"] for found in day["discrepancies"]] == [] and day["status"] == "balanced"
    assert [(one["transactionId"], one["billedOn"]) for one in day["carriedOut"]] == [(late.id, "2026-05-04")]


def test_a_correction_that_cannot_be_read_changes_nothing_of_what_the_file_before_it_led_to():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settle(world)
    world.shelf.unreadable[world.deliver(NEXT, stamp="20260503120000")] = HEADER_BYTES
    assert "cannot be read" in refused(world).reason and "cannot be read" in refused(world, NEXT).reason
    assert world.days["live-2026-05-01"]["status"] == "balanced"


def test_days_whose_files_cannot_be_read_keep_no_other_day_waiting():
    world = Slow(now=MORNING + 6 * ONE_DAY)
    for after in range(7):
        name = world.deliver(DAY + after * ONE_DAY)
        if after < 4:
            world.shelf.unreadable[name] = after % 2 * HEADER_BYTES
    for _ in range(3):
        settled = settle(world, until=world.now + world.rules.latest_claim)
        assert [one.day for one in settled.refused] == [DAY + after * ONE_DAY for after in range(4)]
        assert {"2026-05-06", "2026-05-07"} <= {day.removeprefix("live-") for day in world.days}


def test_a_day_that_a_broken_file_was_only_taken_for_is_let_go_when_it_is_mended():
    world = world_at(MORNING)
    name = world.deliver(DAY, bill(sell(world)), stamp="20260501120000")
    whole = world.shelf.files[name]
    world.shelf.files[name] = b"nothing like it"
    assert [one.day for one in settle(world).refused] == [DAY - ONE_DAY, DAY]
    world.shelf.files[name] = whole
    assert [(body["day"], body["status"]) for body in settle(world).days] == [("2026-05-01", "provisional")]
    assert "refusal" not in world.days["live-2026-04-30-run"] and "live-2026-04-30" not in world.days


def test_what_refuses_every_day_alike_leaves_no_day_behind_that_never_was():
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    other = world.deliver(DAY, stamp="20260502060000", merchant="OTHER")
    assert len(settle(world).refused) > 1
    del world.shelf.files[other]
    settle(world)
    assert {paper_id[:15] for paper_id in world.days} == {"live-2026-05-01"}


def test_names_that_are_not_taken_are_told_by_each_run_once(caplog):
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    world.shelf.files["FULCRUM.MERCHANT.ACME.RECON.20260501230000.TXT"] = b""
    for day in (None, DAY):
        caplog.clear()
        settled = settle(world, day)
        assert [one.name for one in settled.not_taken] == ["FULCRUM.MERCHANT.ACME.RECON.20260501230000.TXT"]
        assert caplog.text.count("settlement files not taken") == 1


@pytest.mark.parametrize("form", Form)
def test_a_day_whose_file_has_another_form_is_settled_and_says_so(form):
    world = world_at(MORNING)
    name = world.deliver(DAY, bill(sell(world)))
    plain = only(settle(world, DAY))
    assert "notes" not in plain["file"]
    world.shelf.files[name] = formed(world.shelf.files[name], form)
    body = only(settle(world, DAY))
    assert {**body, "file": None, "version": 1} == {**plain, "file": None}
    (note,) = body["file"]["notes"]
    assert set(note) == {"line", "message", "lines"} and note["lines"] >= 1
    world.written = 0
    assert only(settle(world, DAY)) == body and world.written == 0


def test_no_day_is_begun_after_the_deadline_and_what_is_left_is_said():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world, until=world.now)
    assert settled.days == () and [day.isoformat() for day in settled.left] == ["2026-05-01", "2026-05-02", "2026-05-03"]
    assert world.written == 0


class Slow(Archive):
    """A store whose sales of three days take 34 seconds to read."""

    async def of_day(self, mode, day, shard):
        self.wait(34 / (3 * SHARDS))
        async for sold in super().of_day(mode, day, shard):
            yield sold


def test_days_whose_files_never_come_keep_no_other_day_waiting(caplog):
    world = Slow(now=MORNING)
    sell(world)
    for after in range(12):  # mornings, each with three runs that have as long as the platform gives them
        morning, yesterday = MORNING + after * ONE_DAY, DAY + after * ONE_DAY
        if after >= 3:
            world.deliver(yesterday)
        for hours in (0, 6, 12):
            world.now = morning + timedelta(hours=hours)
            settled = settle(world, until=world.now + world.rules.latest_claim)
            assert yesterday not in settled.left
    assert {day: body["status"] for day, body in world.days.items() if len(day) == len("live-2026-05-01")} == {
        **dict.fromkeys((f"live-2026-05-{day:02d}" for day in (1, 2, 3)), "file_missing"),
        **dict.fromkeys((f"live-2026-05-{day:02d}" for day in range(4, 12)), "balanced"),
        "live-2026-05-12": "provisional",
    }
    assert settled.left == (DAY + 2 * ONE_DAY,) and "days left unsettled" in caplog.text


def test_days_whose_files_are_refused_keep_no_other_day_waiting():
    world = Slow(now=MORNING + 6 * ONE_DAY)
    for after in range(7):
        name = world.deliver(DAY + after * ONE_DAY)
        if after < 4:
            spoil(world, name)
    settled = settle(world, until=world.now + world.rules.latest_claim)
    assert [one.day for one in settled.refused] == [DAY + after * ONE_DAY for after in range(4)]
    assert [body["day"] for body in settled.days] == ["2026-05-05", "2026-05-06", "2026-05-07"]


def test_what_a_run_answers_is_oldest_first_whatever_it_began_with():
    world = world_at(MORNING)
    sell(world)
    settle(world)
    world.now += 40 * ONE_DAY
    world.deliver(date(2026, 6, 9))
    world.deliver(date(2026, 6, 10))
    assert days_begun(world) == ["2026-06-09", "2026-06-10", "2026-05-01"]
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-06-09", "2026-06-10"]


def troubled(**shape):
    """Two days with something of everything that is written: heals of both kinds, a sign, a contradiction, discrepancies, a closing."""
    world = world_at(MORNING + ONE_DAY, **shape)
    fine, other = sell(world), sell(world, cents=20_000)
    lost, absent = sell(world, LOST, cents=30_000), sell(world, LOST, cents=40_000)
    refused_sale = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"), cents=50_000)
    named = bill(sell(world, LOST, cents=60_000), status="Pending")
    world.deliver(DAY, bill(fine), bill(other, amount="20001"), stamp="20260501235900")
    settle(world, DAY)
    world.deliver(DAY, bill(fine), bill(other), bill(lost, amount="30001"), bill(refused_sale), named, stamp="20260502060000")
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    world.now += ONE_DAY
    return world, absent


def announced(world):
    """What has been announced once the next sweep is through."""
    world.reprint_knows = False
    world.wait(7200)
    run(world.sweeping.sweep(LATER))
    return set(world.topic)


def state_of(world):
    papers = {key: (paper.body, paper.mark) for key, paper in world.papers.items()}
    return papers, {sale.id: (sale.state, [entry.what for entry in sale.history]) for sale in world.sales.values()}


def test_wherever_a_run_crashes_the_next_one_ends_as_if_nothing_had_happened():
    undisturbed, absent = troubled()
    expected = settle(undisturbed)
    assert undisturbed.sales[absent.id].state is State.REJECTED
    before, announcements = state_of(undisturbed), announced(undisturbed)
    steps = boundaries(lambda: troubled()[0].settling().settle(None, LATER))
    for crash in [at for at, step in enumerate(steps) if step.endswith(("write_paper", "advance", "publish"))]:
        world, _ = troubled()
        run(world.settling().settle(None, LATER), stop_after=crash)
        assert settle(world) == expected, steps[crash]
        assert state_of(world) == before, (crash, steps[crash])
        assert announced(world) == announcements, (crash, steps[crash])


def test_two_runs_at_once_do_no_harm():
    undisturbed, _ = troubled()
    expected = settle(undisturbed)
    steps = boundaries(lambda: troubled()[0].settling().settle(None, LATER))
    for pause in [at for at, step in enumerate(steps) if "write" in step or "advance" in step]:
        world, _ = troubled()
        first = world.settling().settle(None, LATER)
        for _ in range(pause + 1):
            first.send(None)
        assert settle(world) == expected
        assert run(first) == expected
        assert state_of(world) == state_of(undisturbed), (pause, steps[pause])


def test_a_catastrophic_file_is_told_in_papers_that_can_be_stored():
    world = world_at(MORNING)
    lines = [
        detail(
            service=VasType.UTILITY,
            transaction_id=f"{at:08x}-0000-4000-8000-{at * 7919 % 2**48:012x}",
            merchant_id=f"{at:08x}-1111-4000-8000-{at * 104_729 % 2**48:012x}",
            at=START,
            cents=at,
            recipient=f"{at:011d}",
        )
        for at in range(5_000)
    ]
    world.deliver(DAY, *lines)
    body = only(settle(world, DAY))
    assert len(body["discrepancies"]) == len(world.discrepancies) == 1_000
    assert body["leftOut"] == {"lookUps": 4_000, "discrepancies": 4_000}
    assert body["conservation"][0]["missingHere"] == {"rows": 5_000, "cents": sum(range(5_000))}
    assert len(zlib.compress(json.dumps(body).encode())) < 300_000  # Firestore takes 1 MiB
    world.written = 0
    assert only(settle(world, DAY)) == body and world.written == 0


def test_the_days_of_sales_before_the_first_file_are_settled_too():
    world = world_at(MORNING + ONE_DAY)
    sell(world, at=START)
    sell(world, at=START - ONE_DAY)
    sell(world, at=START - 5 * ONE_DAY)
    world.deliver(NEXT)
    assert [body["day"] for body in settle(world).days] == ["2026-04-30", "2026-05-01", "2026-05-02"]


def test_a_day_is_asked_whether_anything_was_sold_on_it_without_reading_its_sales():
    world = world_at(MORNING)
    for back in range(3):
        sell(world, at=START - back * ONE_DAY)
    steps = boundaries(lambda: world.settling().settle(None, world.now))
    assert (steps.count("before any_of_day"), steps.count("before of_day")) == (3, 0)


def test_a_place_that_does_not_answer_changes_nothing():
    world = world_at(MORNING)
    sell(world, LOST)
    world.shelf.unavailable = True
    for day in (None, DAY):
        with pytest.raises(FilesUnavailable):
            settle(world, day)
    assert world.written == 0


def test_a_discrepancy_that_was_gone_and_is_back_is_open_again():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    wrong, right = bill(sale, amount="10001"), bill(sale)
    world.deliver(NEXT)
    for stamp, line, status in (("1", wrong, "open"), ("2", right, "corrected"), ("3", wrong._replace(units="1"), "open")):
        world.deliver(DAY, line, stamp=f"2026050306000{stamp}")
        settle(world, DAY)
        (found,) = world.discrepancies
        assert (found["status"], found["closure"] is None) == (status, status == "open")


def test_a_day_whose_file_never_came_is_taken_up_however_old_and_said_to_be_left_where_there_is_no_time():
    world = world_at(MORNING)
    sell(world)
    assert only(settle(world))["status"] == "file_missing"
    world.now += 59 * ONE_DAY
    world.deliver(date(2026, 6, 29))
    assert settle(world, until=world.now).left[0] == DAY
    first = settle(world).days[0]
    assert (first["day"], first["status"]) == ("2026-05-01", "file_missing")

    world.deliver(DAY, bill(next(iter(world.sales.values()))))
    world.deliver(NEXT)
    assert [body["status"] for body in settle(world).days if body["day"] == "2026-05-01"] == ["balanced"]
    assert "2026-05-01" not in [body["day"] for body in settle(world).days]


def listed(world, mark):
    return [paper.id for paper in world.papers.values() if paper.mark == mark]


def test_days_that_have_ended_are_not_read_by_every_run():
    world = world_at(MORNING + 12 * ONE_DAY)
    for after in range(12):
        world.deliver(DAY + after * ONE_DAY)
    settle(world)
    assert len(listed(world, "live-ended")) == 11 and listed(world, "live") == ["live-2026-05-12", "live-2026-05-13"]
    world.now += 40 * ONE_DAY
    world.store_calls.clear()
    days = [body["day"] for body in settle(world, until=world.now).days]
    # One page of two, and that there is no other; and that neither list has a day of the last weeks.
    assert days == [] and world.store_calls.count("marked_papers") == 5


def test_a_day_that_ended_before_its_mark_said_so_is_marked_once_and_one_that_has_not_ended_is_still_found():
    world = world_at(MORNING + 3 * ONE_DAY)
    for after in range(2):
        world.deliver(DAY + after * ONE_DAY)
    settle(world)
    for key in [key for key, paper in world.papers.items() if paper.mark == "live-ended"]:
        world.papers[key] = structs.replace(world.papers[key], mark="live")
    assert len(listed(world, "live")) == 4
    world.now += 60 * ONE_DAY
    world.written = 0
    assert [day.isoformat() for day in settle(world, until=world.now).left] == ["2026-05-02", "2026-05-03", "2026-05-04", "2026-07-03"]
    assert listed(world, "live-ended") == ["live-2026-05-01"] and world.written == 1


def test_a_day_that_another_run_takes_up_meanwhile_keeps_the_mark_which_that_one_gives_it():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settle(world)
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01"
    world.papers[key] = structs.replace(world.papers[key], mark="live")
    settling = world.settling().settle(None, world.now)
    while settling.send(None) != "before write_paper":
        pass
    world.papers[key] = structs.replace(world.papers[key], revision="later")
    run(settling)
    assert world.papers[key].mark == "live"


def test_a_file_that_is_gone_closes_no_discrepancy():
    world = world_at(MORNING + 2 * ONE_DAY)
    name = world.deliver(DAY, bill(sell(world), amount="10001"))
    settle(world, DAY)
    del world.shelf.files[name]
    assert only(settle(world, DAY))["file"] is None
    (found,) = world.discrepancies
    assert (found["status"], found["closure"]) == ("open", None)


def test_the_sales_of_a_day_are_not_gathered_anew_for_each_that_was_healed(monkeypatch):
    world = world_at(MORNING)
    world.deliver(DAY, *(bill(sell(world, LOST, cents=1_000 + at)) for at in range(40)))
    gathered, gather = [], _Evidence.all.fget
    monkeypatch.setattr(_Evidence, "all", property(lambda evidence: gathered.append(1) or gather(evidence)))
    assert len(only(settle(world, DAY))["healed"]) == 40
    assert len(gathered) < 10


def test_a_day_of_long_ago_that_has_nothing_but_sales_is_settled_when_it_is_asked_for_and_no_other():
    world = world_at(MORNING + 90 * ONE_DAY)
    sell(world)
    world.deliver(DAY + 89 * ONE_DAY)
    assert only(settle(world, DAY))["status"] == "file_missing"
    for other in (DAY - ONE_DAY, NEXT + ONE_DAY):
        with pytest.raises(NoBusinessDay):
            settle(world, other)


def test_days_of_sales_right_before_the_first_file_are_settled_with_it_up_to_the_first_without_any():
    world = world_at(MORNING + 3 * ONE_DAY)
    for days in (-2, 0, 1):
        sell(world, at=START + days * ONE_DAY)
    world.deliver(NEXT + ONE_DAY)
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]


def test_a_day_that_was_settled_once_is_settled_whenever_it_is_asked_for_although_nothing_is_left_of_it():
    world = world_at(MORNING)
    name = world.deliver(DAY)
    settle(world, DAY)
    del world.shelf.files[name]
    world.now += 90 * ONE_DAY
    world.deliver(DAY + 89 * ONE_DAY)
    assert only(settle(world, DAY))["status"] == "file_missing"


def silent():
    """A day whose files end a doubt by their silence."""
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    doubt = sell(world, LOST, cents=7_700)
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    return world, doubt


def test_a_sale_that_showed_a_sign_before_silence_was_on_record_is_listed_as_open_and_never_as_healed():
    steps = boundaries(lambda: silent()[0].settling().settle(DAY, LATER))
    world, doubt = silent()
    run(world.settling().settle(DAY, LATER), stop_after=steps.index("before advance"))
    world.sales[doubt.id] = structs.replace(world.sales[doubt.id], sign_of_vend=True, revision="later")
    assert world.days["live-2026-05-01-run"]["healed"] == [[doubt.id, "rejected", None]]
    body = only(settle(world, DAY))
    assert (body["healed"], [one["transactionId"] for one in body["open"]]) == ([], [doubt.id])


def test_silence_counts_in_the_run_that_is_asked_for_the_day_where_the_third_days_file_lies_there_already():
    world, doubt = silent()
    world.now += ONE_DAY
    world.deliver(NEXT + ONE_DAY, bill(sell(world, at=START + ONE_DAY, cents=6_600)))
    assert [one["transactionId"] for one in only(settle(world, DAY))["healed"]] == [doubt.id]


def test_the_day_that_is_asked_for_is_settled_although_there_is_no_time_for_any_other():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world, DAY, until=world.now)
    assert (only(settled)["day"], settled.left) == ("2026-05-01", ())


def test_a_day_of_the_last_weeks_that_has_nothing_is_settled_when_it_is_asked_for():
    world = world_at(MORNING + 3 * ONE_DAY)
    balanced(world)
    assert only(settle(world, DAY + 2 * ONE_DAY))["status"] == "file_missing"


def test_today_is_settled_by_no_run_over_all_days_although_its_file_was_refused_by_hand():
    world = world_at(START + timedelta(hours=1))
    spoil(world, world.deliver(DAY, bill(sell(world))))
    assert [one.day for one in settle(world, DAY).refused] == [DAY]
    settled = settle(world)
    assert ([body["day"] for body in settled.days], settled.refused) == (["2026-04-30"], ())


@pytest.mark.parametrize(("retired_up_to", "is_settled"), [(DAY, False), (NEXT, False), (DAY - ONE_DAY, True), (None, True)])
def test_a_file_of_a_day_whose_sales_are_kept_no_longer_is_nothing_to_settle(retired_up_to, is_settled):
    world = world_at(MORNING + 90 * ONE_DAY)
    body = {"retiredUpTo": retired_up_to and retired_up_to.isoformat()}
    run(world.write_paper(DocumentKind.CONTROLS, Document(progress_id(Mode.LIVE), body)))
    world.deliver(DAY)
    world.deliver(DAY + 89 * ONE_DAY)
    if is_settled:
        assert only(settle(world, DAY))["status"] == "provisional"
    else:
        with pytest.raises(NoBusinessDay):
            settle(world, DAY)


@pytest.mark.parametrize(("merchant", "remembered"), [("ACME", 1), ("OTHER", 0)])
def test_a_refused_file_beside_a_day_is_remembered_unless_it_is_another_merchants(merchant, remembered):
    world = world_at(MORNING + ONE_DAY)
    world.shelf.merchant = "ACME"
    world.deliver(DAY, bill(sell(world)))
    name = world.deliver(NEXT, merchant=merchant)
    spoil(world, name)
    settle(world, DAY)
    assert [known.partition("/")[0] for known in world.days["live-2026-05-01-run"]["refused"]] == [name] * remembered
