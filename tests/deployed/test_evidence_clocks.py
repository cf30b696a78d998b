"""A clock that steps makes no sale older than it is, and stretches no window: both clocks are asked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.vas import VasType
from tests.deployed.shop import PATIENCE_SECONDS, R100, Shop, meanwhile
from tests.deployed.switchboard import PRODUCTS, Deal, Held, Switchboard, loses_the_answer, never_vends, vends
from tests.stand_ins.switch_on_a_socket import http

HALF_AN_HOUR = timedelta(minutes=30)
UTILITY = VasType.UTILITY
A = "00001111222233334444"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Spans are measured by the wall clock and by a monotonic one.


def test_a_step_back_inside_an_exchange_makes_no_sale_older_than_it_is(till: Shop) -> None:
    day = till.fresh_day()
    till.clocks.at(day, 10)
    assert till.buy().status == 201  # the control
    held = Held(never_vends)
    with meanwhile(lambda: till.buy(held)) as done:
        held.reached.wait(PATIENCE_SECONDS)
        till.clocks.step(-HALF_AN_HOUR)
        held.released.set()
    (doubt,) = done
    till.clocks.step(HALF_AN_HOUR)  # a time server has set it right
    assert doubt.status == 202
    for _ in range(6):
        till.clocks.pass_by(timedelta(minutes=2))
        till.sweep()
        assert doubt.state == "in_doubt"
    till.clocks.pass_by(timedelta(minutes=5))
    till.sweep()
    for _ in range(3):
        till.clocks.pass_by(timedelta(minutes=61))
        till.sweep()
    assert doubt.state == "rejected"


def test_a_step_back_for_good_makes_no_sale_older_than_it_is(till: Shop) -> None:
    day = till.fresh_day()
    till.clocks.at(day, 10)
    till.buy()
    held = Held(never_vends)
    with meanwhile(lambda: till.buy(held)) as done:
        held.reached.wait(PATIENCE_SECONDS)
        till.clocks.step(-HALF_AN_HOUR)
        held.released.set()
    (doubt,) = done
    dossier = doubt.dossier
    times = [moment(entry["at"]) for entry in dossier["history"]]
    assert times == sorted(times) and min(times) >= moment(dossier["createdAt"])
    assert moment(dossier["updatedAt"]) >= moment(dossier["createdAt"])
    for _ in range(6):
        till.clocks.pass_by(timedelta(minutes=2))
        till.sweep()
        assert doubt.state == "in_doubt"


def refuses_once_released(held: Held) -> Any:
    """The first request is refused for its access token, once the test lets it; a second one would be sold."""
    calls = iter((held, vends, vends))

    def play(board: Switchboard, deal: Deal) -> bytes | None:
        return next(calls)(board, deal)

    return play


@pytest.mark.parametrize("how", ["steps back", "steps back less", "stands still", "goes by"])
def test_nothing_is_sent_once_either_clock_has_left_the_send_window(till: Shop, how: str) -> None:
    till.fresh_day()
    held = Held(lambda *_: http(401, {}))
    with meanwhile(lambda: till.buy(refuses_once_released(held))) as done:
        held.reached.wait(PATIENCE_SECONDS)
        match how:
            case "steps back":
                till.clocks.pass_by(timedelta(seconds=20))
                till.clocks.step(-HALF_AN_HOUR)
            case "steps back less":
                till.clocks.pass_by(timedelta(seconds=20))
                till.clocks.step(-timedelta(seconds=15))
            case "stands still":
                till.clocks.freeze(timedelta(seconds=20))
            case _:
                till.clocks.pass_by(timedelta(seconds=20))
        held.released.set()
    (sale,) = done
    assert len(till.switch.deals_of(sale.recipient)) == 1
    assert (sale.status, sale.answer.json()["state"]) == (422, "rejected")


def test_inside_the_window_a_refused_request_goes_out_once_more(till: Shop) -> None:
    till.fresh_day()
    held = Held(lambda *_: http(401, {}))
    held.released.set()
    assert till.buy(refuses_once_released(held)).status == 201


@pytest.mark.parametrize("how", ["steps back", "stands still"])
def test_a_lease_ends_when_either_clock_says_so(till: Shop, how: str) -> None:
    till.fresh_day()
    held, recipient = Held(), till.recipient()
    with meanwhile(lambda: till.buy(held, recipient=recipient, key=f"lease-{recipient}")) as done:
        held.reached.wait(PATIENCE_SECONDS)
        if how == "steps back":
            till.clocks.pass_by(timedelta(seconds=250))
            till.clocks.step(-HALF_AN_HOUR)
        else:
            till.clocks.freeze(timedelta(seconds=250))
        body = {"meterNumber": recipient, "amountCents": R100, "merchantProductId": PRODUCTS[UTILITY]}
        again = till.ask(till.purchase, UTILITY, body, f"lease-{recipient}")
        seen = till.purchase.http.get(f"/transactions/{again.json()['transactionId']}").json()["state"]
        held.released.set()
    assert (again.status_code, seen, done[0].status) == (202, "in_doubt", 201)


def test_a_process_whose_clock_is_behind_writes_no_earlier_moment(till: Shop) -> None:
    till.fresh_day()
    doubt = till.buy(loses_the_answer)
    before = doubt.dossier
    till.clocks.step(-HALF_AN_HOUR)
    assert till.decide(doubt, state="vended", tokens=[A]).is_success
    after = doubt.dossier
    assert moment(after["updatedAt"]) >= moment(before["updatedAt"])
    times = [moment(entry["at"]) for entry in after["history"]]
    assert times == sorted(times)
