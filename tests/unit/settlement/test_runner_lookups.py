"""Which sales a run looks up for the lines of a file, by which id, and how many."""

import pytest

from shared.domain.outcome import Answer
from shared.domain.transaction import State
from shared.ports.transactions import LookupBy
from tests.archive import Archive, bill
from tests.sales import vended
from tests.step_driver import START, run
from tests.unit.settlement.evidence import ONE_DAY, REFUSED, evidence, tombstone
from tests.unit.settlement.settled import DAY, LATER, LOST, MORNING, only, sell, settle, world_at


def test_an_old_sale_that_a_line_resolves_is_listed_as_resolved_with_its_supplier():
    world = world_at(MORNING)
    old = sell(world, LOST, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    (healed,) = only(settle(world, DAY))["healed"]
    assert (healed["transactionId"], healed["state"], healed["supplierId"]) == (old.id, "vended", "MOBILEMART")
    assert world.days["live-2026-05-01-run"]["healed"] == [[old.id, "vended", healed["supplierTransactionId"]]]


def test_a_sale_that_ended_otherwise_meanwhile_is_not_listed_as_resolved_by_files():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before advance":
        pass
    run(world.recorder.apply_answer(world.sales[sale.id], Answer(REFUSED), by="supplier"))
    assert world.sales[sale.id].state is State.REJECTED
    assert only(run(settling))["healed"] == []


@pytest.mark.parametrize(("strangers", "not_asked"), [(1, 0), (999, 0), (1_000, 0), (1_001, 1), (1_002, 2)])
def test_a_thousand_lines_that_name_no_sale_are_looked_up_and_the_others_counted(strangers, not_asked):
    world, asked = world_at(MORNING), []
    lines = [_stranger(number) for number in range(strangers)]

    async def lookup(mode, by, value, at_most=100):
        asked.append(value)
        return ()

    world.lookup = lookup
    known = evidence()
    assert run(world.settling()._named_by(lines, known)) == []
    assert (len(known.asked), known.not_asked) == (min(strangers, 1_000), not_asked)
    assert run(world.settling()._named_by(lines, known)) == [] and known.not_asked == not_asked
    assert len(set(asked)) == 3 * min(strangers, 1_000)
    more = [_stranger(number) for number in range(5_000, 5_600)]
    assert run(world.settling()._named_by(more, known)) == [] and len(known.asked) == min(strangers + 600, 1_000)
    assert known.not_asked == max(strangers + 600 - 1_000, 0) if strangers < 1_000 else 600
    if strangers == 1:
        assert asked[:4] == ["ours 0000", "theirs 0000", "THEIRS 0000", "ours 0000"]


def _stranger(number):
    (line,) = [bill(vended())._replace(transaction_id=f"theirs {number:04d}", merchant_id=f"ours {number:04d}")]
    return line


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("m-1", [("request_id", "m-1")]),
        ("T-1", [("request_id", "m-1"), ("supplier", "T-1")]),
        ("t-1", [("request_id", "m-1"), ("supplier", "T-1"), ("supplier", "t-1")]),
        (None, [("request_id", "m-1"), ("supplier", "T-1"), ("supplier", "t-1"), ("supplier", "M-1")]),
    ],
)
def test_a_line_is_looked_up_by_request_id_then_suppliers_id_in_each_case_and_field(held, asked):
    world, tried = world_at(MORNING), []

    async def lookup(mode, by, value, at_most=100):
        tried.append(("request_id" if by is LookupBy.REQUEST_ID else "supplier", value))
        return [value] if value == held else []

    world.lookup = lookup
    assert run(world.settling()._looked_up("M-1", "T-1")) == ([held] if held else ())
    assert tried == asked


def test_a_line_without_an_id_of_ours_is_looked_up_by_the_suppliers_alone():
    world, tried = world_at(MORNING), []

    async def lookup(mode, by, value, at_most=100):
        tried.append(value)
        return []

    world.lookup = lookup
    assert run(world.settling()._looked_up("", "6B0F6A52-0D1C-4C3C-9A53-1F2F4F1F9A10")) == ()
    assert tried == ["6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"]


class Retired(Archive):
    """A store in which the sales that have gone from it are retired."""

    async def lookup(self, mode, by, value, at_most=100):
        gone = [tombstone(sale) for sale in self.gone if value in (sale.request_id, sale.receipt and sale.receipt.supplier_transaction_id)]
        return gone or await super().lookup(mode, by, value, at_most)

    gone = ()


@pytest.mark.parametrize(
    ("answer", "changes", "kinds"),
    [
        (None, {}, ["late_posting"]),
        (None, {"status": "Binned"}, []),
        (REFUSED, {}, ["vended_after_rejection", "late_posting"]),
        (REFUSED, {"status": "Binned"}, []),
        (REFUSED, {"status": "Pending"}, ["unknown_status"]),
    ],
    ids=str,
)
def test_a_line_that_names_a_retired_sale_is_no_strangers_and_puts_nothing_on_record(answer, changes, kinds):
    world = Retired(now=MORNING + 500 * ONE_DAY)
    sale = sell(world, answer)
    world.gone = [world.sales.pop(sale.id)]
    far = DAY + 500 * ONE_DAY
    world.deliver(far, bill(sale, **changes))
    body = only(settle(world, far))
    assert ([one["kind"] for one in body["discrepancies"]], body["healed"], world.topic[1:]) == (kinds, [], [])
    assert {paper_id[:15] for paper_id in world.days} == {f"live-{far}"}  # the day of the retired sale is not taken up


def test_twenty_names_at_most_that_are_not_taken_are_reported_with_their_number(caplog):
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    names = [f"FULCRUM.MERCHANT.ACME.RECON.202605012300{number:02d}.TXT" for number in range(25)]
    world.shelf.files.update(dict.fromkeys(names, b""))
    settled = settle(world, DAY)
    assert ([one.name for one in settled.not_taken], settled.more_not_taken) == (names, 0)
    (line,) = [line for line in caplog.records if line.message == "settlement files not taken"]
    reason = settled.not_taken[0].reason
    assert line.fields == {"count": 25, "files": [f"{name}: {reason}" for name in names[:20]]}
