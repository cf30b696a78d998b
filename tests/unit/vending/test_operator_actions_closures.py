"""What a person's closure covers: exactly the difference that was seen. Anything else is open again, and the earlier closure is kept."""

from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from shared.domain import closures
from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.transaction import claimed_twice
from shared.domain.vas import Mode
from shared.ports.documents import DocumentKind
from shared.settlement.closing import Closing
from shared.settlement.matching import ONE_DAY
from shared.settlement.reporting import Reporting
from tests.archive import Archive, bill
from tests.step_driver import START, electricity, one_by_one, run

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
LATER = datetime(2027, 1, 1, tzinfo=UTC)
METER = "12345678901"


@pytest.fixture
def world():
    return Archive(now=datetime(2026, 5, 3, 4, tzinfo=UTC))


def sell(world, answer=None):
    number = len(world.sales)
    given = answer or Vended(Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=TokensDue.NONE))
    now, world.now, world.answers = world.now, START, [given]
    sale = run(world.vending.purchase(electricity(f"key-{number}", allow_duplicate=True))).transaction
    world.now = now
    return sale


def settled(world, *lines, in_place=True):
    """The day as it stands once these are its lines."""
    stamp = "20260502060000" if in_place else f"2026050206{len(world.shelf.files):02d}00"
    world.deliver(DAY, *lines, stamp=stamp)
    world.deliver(NEXT, stamp="20260503060000")
    return run(world.settling().settle(DAY, LATER)).days[0]


def closing(world):
    return Closing(store=world, mode=Mode.LIVE, now=lambda: world.now)


def accept(world, note="one cent"):
    (found,) = [one for one in world.discrepancies if one["status"] == "open"]
    return run(closing(world).close(found["id"], "accepted", note, "ann@example.com"))


def only(world):
    (found,) = world.discrepancies
    return found


def test_a_closure_of_one_cent_does_not_cover_nine_thousand_rand(world, caplog):
    sale = sell(world)
    settled(world, bill(sale, amount="10001"))
    accept(world)
    assert settled(world, bill(sale, amount="10001", units="1"))["status"] == "balanced"
    caplog.clear()
    body = settled(world, bill(sale, amount="910000"))
    assert (body["status"], body["discrepancies"][0]["status"]) == ("discrepancies", "open")
    found = only(world)
    assert (found["status"], found["closure"]) == ("open", None)
    (earlier,) = found["earlierClosures"]
    assert (earlier["decision"], earlier["note"], earlier["by"]) == ("accepted", "one cent", "ann@example.com")
    assert (earlier["theirs"]["amountCents"], found["theirs"]["amountCents"]) == (10_001, 910_000)
    assert "discrepancy found" in caplog.text
    assert world.papers[DocumentKind.DISCREPANCIES, f"live-{found['id']}"].mark == "live-open"


def test_a_reopened_discrepancy_is_closed_again_and_both_closures_stay(world):
    sale = sell(world)
    for cents in ("10001", "910000", "10001"):
        assert settled(world, bill(sale, amount=cents))["status"] == "discrepancies"
        closed = accept(world, f"{cents} cents")
        assert closed["closure"]["note"] == f"{cents} cents"
    assert [one["note"] for one in only(world)["earlierClosures"]] == ["10001 cents", "910000 cents"]
    world.written = 0
    assert settled(world, bill(sale, amount="10001"))["status"] == "balanced"
    run(world.settling().settle(DAY, LATER))
    assert world.written <= 2  # the day's new version


@pytest.mark.parametrize("in_place", [True, False])
def test_a_line_that_moves_when_a_file_is_sent_again_stays_closed(world, in_place):
    sale, other = sell(world), sell(world)
    wrong = bill(sale, amount="10001")
    settled(world, wrong, bill(other))
    accept(world)
    assert settled(world, bill(other), wrong, in_place=in_place)["status"] == "balanced"
    assert only(world)["theirs"]["line"] == 3 and "earlierClosures" not in only(world)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "10002"},
        {"meter_number": "98765432109"},
        {"meter_number": "11111118902"},  # the same four digits are shown
        {"transaction_id": "cccccccc-0000-4000-8000-000000000000"},
    ],
)
def test_another_amount_recipient_or_supplier_id_reopens_a_discrepancy(world, changes):
    sale = sell(world)
    seen = bill(sale, amount="10001", meter_number="22222228902")
    settled(world, seen)
    for found in [one for one in world.discrepancies if one["status"] == "open"]:
        run(closing(world).close(found["id"], "accepted", "seen", "ann@example.com"))
    assert settled(world, seen._replace(units="2"))["status"] == "balanced"
    assert settled(world, seen._replace(**changes))["status"] == "discrepancies"


def test_another_status_on_their_side_reopens_a_discrepancy(world):
    sale = sell(world)
    settled(world, bill(sale, status="Pending"))
    accept(world)
    assert settled(world, bill(sale, status="Waiting"))["status"] == "discrepancies"


def test_another_state_on_our_side_reopens_a_discrepancy(world):
    sale = sell(world, Unknown("ReadTimeout"))
    settled(world, bill(sale, status="Pending"))
    accept(world)
    vended = Answer(Vended(Receipt(supplier_transaction_id="bbbbbbbb-0000-4000-8000-000000000009", tokens_due=TokensDue.NONE)))
    run(world.recorder.apply_answer(world.sales[sale.id], vended, by="supplier"))
    assert settled(world, bill(sale, "bbbbbbbb-0000-4000-8000-000000000009", status="Pending"))["discrepancies"][0]["status"] == "open"


def test_a_closure_covers_its_number_of_withdrawn_lines(world):
    sales = [sell(world) for _ in range(3)]
    stranger = bill(sales[0], "cccccccc-0000-4000-8000-000000000001", merchant_id="")
    other = stranger._replace(transaction_id="cccccccc-0000-4000-8000-000000000002")
    settled(world, *map(bill, sales), stranger, other)
    settled(world, *map(bill, sales), stranger)
    for found in [one for one in world.discrepancies if one["status"] == "open"]:
        run(closing(world).close(found["id"], "accepted", "seen", "ann@example.com"))
    (withdrawn,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert withdrawn["status"] == "accepted"
    settled(world, *map(bill, sales))
    (withdrawn,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert (withdrawn["status"], withdrawn["theirs"]) == ("open", {"rows": 2, "amountCents": 20_000})


def test_a_closure_without_a_mark_covers_the_shown_fields(world):
    sale = sell(world)
    settled(world, bill(sale, amount="10001"))
    accept(world)
    key = DocumentKind.DISCREPANCIES, f"live-{only(world)['id']}"
    old = {name: value for name, value in world.papers[key].body.items() if name != closures.SEEN}
    world.papers[key] = structs.replace(world.papers[key], body=old)
    assert settled(world, bill(sale, amount="10001", units="3"))["status"] == "balanced"
    world.papers[key] = structs.replace(world.papers[key], body=old)
    assert settled(world, bill(sale, amount="910000"))["status"] == "discrepancies"


def test_the_mark_of_a_difference_is_shown_to_nobody(world):
    sale = sell(world)
    body = settled(world, bill(sale, amount="10001"))
    closed = accept(world)
    report = run(Reporting(store=world, mode=Mode.LIVE, now=lambda: world.now, each=one_by_one).day(DAY))
    for shown in (body["discrepancies"][0], closed, report.json()["discrepancies"][0]):
        assert closures.SEEN not in shown and shown["kind"] == "amount_differs"
    assert closures.SEEN in only(world)


def test_an_earlier_closure_is_in_the_report(world):
    sale = sell(world)
    settled(world, bill(sale, amount="10001"))
    accept(world)
    settled(world, bill(sale, amount="910000"))
    report = run(Reporting(store=world, mode=Mode.LIVE, now=lambda: world.now, each=one_by_one).day(DAY))
    (found,) = report.json()["discrepancies"]
    assert (found["status"], found["earlierClosures"][0]["note"]) == ("open", "one cent")


def test_a_closed_contradiction_reopens_once_its_sale_has_ended(world):
    sale = sell(world, Unknown("ReadTimeout"))

    def claimed(known):
        return claimed_twice(known, "bbbbbbbb-0000-4000-8000-000000000007", None, at=world.now, by="reprint", retry_seconds=60)

    run(world.recorder.publish_pending_events(run(world.recorder.update(world.sales[sale.id], claimed))))
    accept(world, "their error")
    run(world.recorder.publish_pending_events(run(world.recorder.update(world.sales[sale.id], claimed))))
    assert only(world)["status"] == "accepted"
    refused = Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))
    run(world.recorder.publish_pending_events(run(world.recorder.apply_answer(world.sales[sale.id], refused, by="supplier"))))
    found = only(world)
    assert (found["status"], found["ours"]["state"], found["earlierClosures"][0]["ours"]["state"]) == ("open", "rejected", "in_doubt")
