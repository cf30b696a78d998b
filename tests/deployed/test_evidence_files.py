"""Silence of the supplier's files ends a sale in doubt only where the files are whole: never one that vended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import BINNED, Line
from tests.deployed.shop import ONE_DAY, R100, Sale, Shop, own
from tests.deployed.switchboard import Play, Vend, loses_the_answer, never_vends

STRANGER = "5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


@dataclass(slots=True)
class Days:
    """A day with a doubt between two sales, and the next day's two sales, after which it is the next day's afternoon."""

    shop: Shop
    day: date
    before: Sale
    doubt: Sale
    after: Sale
    control: Sale
    later: Sale

    @property
    def own(self) -> list[Vend | Line]:
        """What the day's whole file bills."""
        return [sale.vend for sale in (self.before, self.doubt, self.after) if self.shop.switch.vends_to(sale.recipient)]

    @property
    def next(self) -> list[Vend | Line]:
        return [self.control.vend, self.later.vend]

    def settled(self) -> Any:
        """The day, after the daily run of the day after both, or of a later one."""
        self.shop.clocks.not_before(self.day + 2 * ONE_DAY)
        self.shop.settle_all()
        return self.shop.settle(self.day)

    def without(self, *sales: Sale) -> list[Vend | Line]:
        """The day's file without those."""
        return [vend for vend in self.own if vend.deal.recipient not in {sale.recipient for sale in sales}]  # type: ignore[union-attr]


def two_days(shop: Shop, play: Play, afternoon: Callable[[], object] = lambda: None) -> Days:
    day = shop.fresh_day()
    before = shop.buy()
    shop.clocks.at(day, 11)
    doubt = shop.buy(play)
    assert doubt.status == 202
    shop.clocks.at(day, 13)
    after = shop.buy()
    afternoon()
    shop.clocks.at(day + ONE_DAY, 10)
    control = shop.buy()
    shop.clocks.at(day + ONE_DAY, 14)
    later = shop.buy()
    return Days(shop, day, before, doubt, after, control, later)


def kinds(settled: Any) -> list[str]:
    return sorted(found["kind"] for found in own(settled) if found["status"] == "open")


def of_kind(settled: Any, kind: str) -> Any:
    [found] = [found for found in own(settled) if found["kind"] == kind]
    return found


def stranger(day: date, vend: Vend, cents: str = "5500") -> Line:
    """A line that names no sale of ours."""
    return vend.line(
        transaction_id=STRANGER, merchant_id=f"{day.toordinal():08d}-0000-4000-8000-000000000000", amount=cents, meter_number=""
    )


# What truly did not vend is ended by whole files alone.


def test_whole_files_end_what_never_vended_with_a_new_key(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.deliver(days.day, days.own)
    shop.deliver(days.day + ONE_DAY, days.next)
    settled = days.settled()
    assert (settled["status"], own(settled)) == ("balanced", [])
    again = days.doubt.repeated()
    assert (again.status_code, again.json()["state"], again.json()["retry"]) == (422, "rejected", "new-key")


@pytest.mark.parametrize(
    ("before", "at", "after"),
    [
        pytest.param((), (11, 0), ((13, 0),), id="the first of its day"),
        pytest.param(((9, 30),), (11, 0), (), id="the last of its day"),
        pytest.param(((9, 30),), (23, 58), (), id="right before midnight"),
        pytest.param((), (0, 3), ((9, 30),), id="right after midnight"),
        pytest.param(((9, 30), (9, 40)), (9, 50), ((23, 56),), id="with a sale before midnight"),
    ],
)
def test_whole_files_of_small_days_end_what_never_vended(shop: Shop, before: Any, at: Any, after: Any) -> None:
    eve = shop.fresh_day()
    eves, day = shop.buy(), eve + ONE_DAY
    sold = []
    for moment in before:
        shop.clocks.at(day, *moment)
        sold.append(shop.buy())
    shop.clocks.at(day, *at)
    doubt = shop.buy(never_vends)
    for moment in after:
        shop.clocks.at(day, *moment)
        sold.append(shop.buy())
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(eve, [eves.vend])
    shop.deliver(day, [sale.vend for sale in sold])
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    assert doubt.state == "rejected"


def test_a_doubt_that_is_the_only_sale_of_its_day_ends_or_is_on_the_list(shop: Shop) -> None:
    eve = shop.fresh_day()
    eves, day = shop.buy(), eve + ONE_DAY
    shop.clocks.at(day, 11)
    doubt = shop.buy(never_vends)
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(eve, [eves.vend])
    shop.deliver(day, [])
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    listed = [one["transactionId"] for one in shop.settle(day)["open"]]
    assert (doubt.state, listed) in [("rejected", []), ("in_doubt", [doubt.id])]


def test_a_sale_that_the_next_days_file_bills_is_no_gap(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.deliver(days.day, days.without(days.after))
    shop.deliver(days.day + ONE_DAY, [*days.next, days.after.vend])
    days.settled()
    assert days.doubt.state == "rejected"


def test_the_last_ten_minutes_of_the_last_day_may_be_billed_later(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.clocks.at(days.day + ONE_DAY, 23, 52)
    shop.buy()
    shop.deliver(days.day, days.own)
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state == "rejected"


# A file that lacks a sale, or a part of the day.


@pytest.mark.parametrize("lacking", ["before", "after", "control", "later"])
def test_a_file_that_lacks_any_vended_sale_proves_nothing_until_it_is_whole(shop: Shop, lacking: str) -> None:
    days = two_days(shop, loses_the_answer)
    sale: Sale = getattr(days, lacking)
    shop.deliver(days.day, days.without(days.doubt, sale))
    shop.deliver(days.day + ONE_DAY, [vend for vend in days.next if vend != sale.vend])
    days.settled()
    assert days.doubt.state == "in_doubt"
    shop.deliver(days.day, days.own, "0700")
    shop.deliver(days.day + ONE_DAY, days.next, "0700")
    settled = days.settled()
    assert (days.doubt.state, settled["status"], kinds(settled)) == ("vended", "balanced", [])


def test_two_parts_of_a_day_reject_nothing(shop: Shop) -> None:
    days = two_days(shop, loses_the_answer)
    shop.deliver(days.day, days.without(days.after))
    shop.deliver(days.day, [days.after.vend], "0501")
    shop.deliver(days.day + ONE_DAY, days.next)
    withdrawn = of_kind(days.settled(), "lines_withdrawn")
    assert withdrawn["severity"] == "critical"
    assert {"2", "20000"} <= {str(value) for value in (withdrawn["theirs"] or withdrawn["ours"]).values()}
    dossier = days.doubt.dossier
    assert dossier["state"] == "vended" or (dossier["state"], dossier["signOfVend"]) == ("in_doubt", True)
    shop.deliver(days.day, days.own, "0502")
    settled = days.settled()
    assert (days.doubt.state, settled["status"], kinds(settled)) == ("vended", "balanced", [])


@pytest.mark.parametrize("status", ["Successful", BINNED, "Pending"])
@pytest.mark.parametrize("late", [False, True])
def test_a_line_that_an_earlier_part_had_is_never_forgotten(shop: Shop, status: str, late: bool) -> None:
    days = two_days(shop, loses_the_answer)
    part = [days.before.vend, days.doubt.vend.line(status=status)]
    if not late:
        shop.deliver(days.day, part)
    shop.deliver(days.day, days.without(days.doubt), "0501")
    if late:
        shop.settle_all()
        shop.deliver(days.day, part)
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state != "rejected"


@pytest.mark.parametrize("how", ["a link that dangles", "a wrong count"])
def test_an_earlier_part_that_cannot_be_believed_may_have_billed_the_doubt(shop: Shop, how: str) -> None:
    days = two_days(shop, loses_the_answer)
    part = shop.deliver(days.day, days.own)
    if how == "a wrong count":
        part.write_bytes(part.read_bytes().replace(b"T|5", b"T|6"))
    else:
        part.unlink()
        part.symlink_to("nowhere.txt")
    shop.deliver(days.day, days.without(days.doubt), "0600")
    shop.deliver(days.day + ONE_DAY, days.next)
    shop.clocks.not_before(days.day + 2 * ONE_DAY)
    shop.settle_all()
    assert days.doubt.state != "rejected"


def test_a_line_that_lies_in_the_place_is_read_before_silence_ends_its_sale(shop: Shop) -> None:
    day = shop.fresh_day()
    first, slow = shop.buy(), shop.buy(loses_the_answer)
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 5 * ONE_DAY)
    for after, lines in enumerate(([first.vend], [control.vend], [], [slow.vend], [])):
        shop.deliver(day + after * ONE_DAY, lines)
    shop.settle_all()
    assert slow.state == "vended"


@pytest.mark.parametrize("instead", [False, True])
def test_a_file_overwritten_in_place_takes_nothing_back(shop: Shop, instead: bool) -> None:
    days = two_days(shop, never_vends)
    lost = stranger(days.day, days.before.vend)
    shop.deliver(days.day, [*days.own, lost])
    shop.settle(days.day)
    shop.deliver(
        days.day, [*days.own, *([lost._replace(transaction_id=STRANGER.replace("5", "6"), merchant_id="else")] if instead else [])]
    )
    shop.deliver(days.day + ONE_DAY, days.next)
    settled = days.settled()
    if not instead:  # the earlier rows and cents tell
        assert of_kind(settled, "lines_withdrawn")["severity"] == "critical"
    assert days.doubt.state == "in_doubt"


def test_no_closure_restores_withdrawn_lines_and_a_whole_file_does(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.deliver(days.day, days.own)
    shop.deliver(days.day, days.without(days.before), "0501")
    shop.deliver(days.day + ONE_DAY, days.next)
    for _ in range(3):
        for found in own(days.settled()):
            if found["status"] == "open":
                shop.close(found)
        shop.clocks.pass_by(ONE_DAY / 24)
    assert days.doubt.state == "in_doubt"
    shop.deliver(days.day, days.own, "0502")
    days.settled()
    assert days.doubt.state == "rejected"


@pytest.mark.parametrize("which", ["own", "next"])
def test_a_withdrawn_line_of_a_stranger_makes_its_day_no_evidence(shop: Shop, which: str) -> None:
    days = two_days(shop, never_vends)
    lost = stranger(days.day, days.before.vend)
    withdrawn, following = ([lost] if which == "own" else []), ([lost] if which == "next" else [])
    shop.deliver(days.day, [*days.own, *withdrawn])
    shop.deliver(days.day + ONE_DAY, [*days.next, *following])
    shop.deliver(days.day if which == "own" else days.day + ONE_DAY, days.own if which == "own" else days.next, "0600")
    days.settled()
    assert days.doubt.state == "in_doubt"


def test_files_that_end_before_the_doubt_prove_nothing(shop: Shop) -> None:
    day = shop.fresh_day()
    before = shop.buy()
    shop.clocks.at(day, 11)
    doubt = shop.buy(loses_the_answer)
    shop.clocks.at(day + ONE_DAY, 23, 53)
    shop.buy()  # of the last ten minutes: it does not count against the file, and no file bills it
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(day, [before.vend])
    shop.deliver(day + ONE_DAY, [])
    shop.settle_all()
    assert doubt.state == "in_doubt"


def test_the_last_ten_minutes_of_a_day_count_where_its_next_day_may_bill_them(shop: Shop) -> None:
    eve = shop.fresh_day()
    sales = []
    for hour, minute, play in ((9, 30, None), (11, 0, never_vends), (23, 55, None)):
        shop.clocks.at(eve, hour, minute)
        sales.append(shop.buy(play))
    shop.clocks.at(eve + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(eve + 2 * ONE_DAY)
    shop.deliver(eve, [sales[0].vend])
    shop.deliver(eve + ONE_DAY, [control.vend])
    shop.settle_all()
    assert sales[1].state == "in_doubt"


@pytest.mark.parametrize("hour", [0, 23])
def test_near_midnight_the_day_before_must_be_whole_too(shop: Shop, hour: int) -> None:
    eve = shop.fresh_day()
    first, second = shop.buy(), shop.buy()
    day = eve + ONE_DAY
    sold = []
    if hour == 23:
        shop.clocks.at(day, 9)
        sold = [shop.buy()]
    shop.clocks.at(day, hour, 4 if hour == 0 else 56)
    doubt = shop.buy(loses_the_answer)
    if hour == 0:
        shop.clocks.at(day, 9)
        sold = [shop.buy()]
    shop.clocks.at(day + ONE_DAY)
    control, other = shop.buy(), shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(eve, [first.vend, *([] if hour == 0 else [second.vend])])
    shop.deliver(day, [sale.vend for sale in sold])
    shop.deliver(day + ONE_DAY, [control.vend, *([] if hour == 23 else [other.vend])])
    shop.settle_all()
    assert doubt.state == "in_doubt"


def test_a_sale_that_is_billed_two_days_late_leaves_its_day_no_evidence(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.deliver(days.day, days.without(days.after))
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    shop.clocks.at(days.day + 4 * ONE_DAY)
    shop.deliver(days.day + 2 * ONE_DAY, [])
    shop.deliver(days.day + 3 * ONE_DAY, [days.after.vend])
    days.settled()
    assert days.doubt.state == "in_doubt"


@pytest.mark.parametrize("how", ["binned", "unknown status", "negative", "decided by a person"])
def test_what_only_looks_billed_is_billed_nowhere(shop: Shop, how: str) -> None:
    others: list[Sale] = []
    days = two_days(shop, loses_the_answer, lambda: others.append(shop.buy(never_vends)) if how == "decided by a person" else None)
    lines: list[Vend | Line] = list(days.without(days.doubt, days.after))
    match how:
        case "binned":
            lines.append(days.after.vend.line(status=BINNED))
        case "unknown status":
            lines.append(days.after.vend.line(status="Pending"))
        case "negative":
            lines.append(days.after.vend.line(amount=f"-{R100}"))
        case _:
            lines.append(days.after.vend)
            assert shop.decide(others[0], state="vended").is_success
    shop.deliver(days.day, lines)
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state == "in_doubt"


def test_a_gap_in_one_service_speaks_for_all(shop: Shop) -> None:
    days = two_days(shop, loses_the_answer, lambda: shop.buy(service=VasType.AIRTIME))
    shop.deliver(days.day, days.without(days.doubt))
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state == "in_doubt"


@pytest.mark.parametrize("which", ["own", "next"])
def test_a_paper_whose_lists_were_cut_proves_no_silence(shop: Shop, which: str) -> None:
    days = two_days(shop, never_vends)
    line = days.before.vend.line(meter_number="")
    flood = [
        line._replace(transaction_id=f"{at:08d}-0d1c-4c3c-9a53-1f2f4f1f9a10", merchant_id=f"x{at}", amount=str(500_000 + at))
        for at in range(1_010)
    ]
    shop.deliver(days.day, [*days.own, *(flood if which == "own" else [])])
    shop.deliver(days.day + ONE_DAY, [*days.next, *(flood if which == "next" else [])])
    days.settled()
    assert days.doubt.state == "in_doubt"


def test_a_request_that_the_supplier_calls_by_another_id_is_no_control(shop: Shop) -> None:
    days = two_days(shop, loses_the_answer)
    shop.deliver(days.day, [vend.line(merchant_id=f"other-{at}") for at, vend in enumerate(days.without(days.doubt))])  # type: ignore[union-attr]
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state == "in_doubt"


def test_a_file_that_is_gone_takes_its_lines_back_by_no_other_name(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    gone = shop.deliver(days.day, [*days.own, stranger(days.day, days.before.vend)])
    shop.settle(days.day)
    gone.unlink()
    shop.deliver(days.day, days.own, "0700")
    shop.deliver(days.day + ONE_DAY, days.next)
    days.settled()
    assert days.doubt.state == "in_doubt"


def test_the_same_lines_spelt_otherwise_and_in_another_order_are_no_loss(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    shop.deliver(days.day, [days.before.vend.line(amount="10001"), days.after.vend])
    shop.deliver(days.day + ONE_DAY, days.next)
    sold = [days.after.vend, days.before.vend]
    spelt = [vend.line(transaction_id=vend.supplier_id.upper(), product_name="Electricity", tender_type="Wallet") for vend in sold]
    shop.deliver(days.day, list(spelt), "0600")
    settled = days.settled()
    assert (days.doubt.state, kinds(settled)) == ("rejected", [])


def test_a_file_that_has_every_line_again_is_whole(shop: Shop) -> None:
    days = two_days(shop, never_vends)
    lost = stranger(days.day, days.before.vend)
    shop.deliver(days.day, [*days.own, lost])
    shop.deliver(days.day + ONE_DAY, days.next)
    shop.settle(days.day)
    shop.deliver(days.day, days.own)
    days.settled()
    assert days.doubt.state == "in_doubt"
    shop.deliver(days.day, [lost, *days.own])
    settled = days.settled()
    assert (days.doubt.state, kinds(settled)) == ("rejected", ["missing_here"])


def test_near_midnight_a_loss_of_the_day_before_counts(shop: Shop) -> None:
    eve = shop.fresh_day()
    eves, day = shop.buy(), eve + ONE_DAY
    shop.clocks.at(day, 0, 4)
    doubt = shop.buy(never_vends)
    shop.clocks.at(day, 9)
    sold = shop.buy()
    shop.clocks.at(day + ONE_DAY)
    control = shop.buy()
    shop.clocks.at(day + 2 * ONE_DAY)
    shop.deliver(eve, [eves.vend, stranger(eve, eves.vend)])
    shop.deliver(eve, [eves.vend], "0600")
    shop.deliver(day, [sold.vend])
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.settle_all()
    assert doubt.state == "in_doubt"
