"""A file that is refused or cannot be read costs its own day alone, and the day is taken up again."""

from datetime import UTC, datetime

import pytest

from shared.domain.transaction import State
from shared.settlement.matching import ONE_DAY
from tests.archive import bill
from tests.file_forms import Form, formed
from tests.step_driver import START
from tests.unit.settlement.settled import DAY, LOST, MORNING, NEXT, Slow, balanced, only, sell, settle, spoil, world_at


def refused(world, day=DAY):
    """The refusal of a day, after which nothing has changed but that it is on record."""
    before = changed_by_settling(world)
    settled = settle(world, day)
    assert settled.days == () and changed_by_settling(world) == before
    (one,) = settled.refused
    return one.refusal


def changed_by_settling(world):
    """The sales, and all documents except those of the runs."""
    return dict(world.sales), {key: paper for key, paper in world.papers.items() if not key[1].endswith("-run")}


def test_files_of_two_merchants_in_one_place_are_refused(caplog):
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world, LOST)))
    world.deliver(DAY, stamp="20260502060000", merchant="OTHER")
    assert "several merchants" in refused(world).reason
    assert "settlement file refused" in caplog.text


def test_another_merchants_file_is_refused_for_its_day_and_does_not_block_ours():
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


def test_a_refused_first_day_is_settled_by_a_better_file_even_after_the_next_day():
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
def test_an_unreadable_file_costs_its_own_day_which_is_settled_once_it_is_readable(unread, caplog):
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
def test_a_day_that_ended_beside_an_unreadable_file_is_settled_with_it_once_readable(unread):
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


def test_a_day_refused_when_a_later_file_billed_its_sale_carries_it_out_once_settled():
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


def test_an_unreadable_correction_changes_nothing_of_the_earlier_files_result():
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


def test_names_that_are_not_taken_are_reported_by_each_run_once(caplog):
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


@pytest.mark.parametrize(("merchant", "remembered"), [("ACME", 1), ("OTHER", 0)])
def test_a_refused_file_beside_a_day_is_remembered_unless_it_is_another_merchants(merchant, remembered):
    world = world_at(MORNING + ONE_DAY)
    world.shelf.merchant = "ACME"
    world.deliver(DAY, bill(sell(world)))
    name = world.deliver(NEXT, merchant=merchant)
    spoil(world, name)
    settle(world, DAY)
    assert [known.partition("/")[0] for known in world.days["live-2026-05-01-run"]["refused"]] == [name] * remembered
