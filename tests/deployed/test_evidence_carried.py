"""Whichever day's file bills a sale, it is carried out of its own day."""

import pytest

from tests.deployed.shop import ONE_DAY, Shop, own
from tests.deployed.switchboard import Play, loses_the_answer


@pytest.mark.parametrize(("late", "play"), [(2, None), (3, None), (5, None), (3, loses_the_answer)])
def test_a_sale_that_is_billed_late_is_carried_out_of_its_day(shop: Shop, late: int, play: Play | None) -> None:
    day = shop.fresh_day()
    first, slow = shop.buy(), shop.buy(play)
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.deliver(day, [first.vend])
    if play is None:  # otherwise the files, which are whole, would end the doubt
        shop.deliver(day + ONE_DAY, [control.vend])
    shop.clocks.at(day + 2 * ONE_DAY, 12)
    early = shop.settle(day)
    assert early["status"] == ("discrepancies" if play is None else "provisional")
    for after in range(2, late + 2):
        shop.clocks.at(day + (after + 1) * ONE_DAY)
        shop.deliver(day + after * ONE_DAY, [slow.vend] if after == late else [])
    shop.settle_all()
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    settled = shop.settle(day)
    assert [(one["transactionId"], one["billedOn"]) for one in settled["carriedOut"]] == [(slow.id, (day + late * ONE_DAY).isoformat())]
    assert (settled["status"], settled["version"] > early["version"]) == ("balanced", True)
    assert [one["status"] for one in own(settled) if one["kind"] == "missing_at_supplier"] in ([], ["corrected"])
    assert all(books["residue"] == {"rows": 0, "cents": 0} for books in settled["conservation"])
    assert [one["transactionId"] for one in shop.settle(day + late * ONE_DAY)["carriedIn"]] == [slow.id]
