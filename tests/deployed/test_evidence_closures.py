"""A person's closure of a discrepancy holds for exactly what was seen."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shared.mobilemart.settlement_file import BINNED
from tests.deployed.shop import Shop, own, sold_day

NOTE = "One cent is not worth a letter."


def of_kind(settled: Any, kind: str) -> Any:
    [found] = [found for found in own(settled) if found["kind"] == kind]
    return found


# A person's closure holds for exactly what was seen.


@pytest.mark.parametrize(
    ("seen", "kind", "changes"),
    [
        pytest.param({"amount": "10001"}, "amount_differs", {"amount": "910000"}, id="the amount grows"),
        pytest.param({"amount": "9999"}, "amount_differs", {"amount": "9998"}, id="the amount shrinks by another cent"),
        pytest.param({"amount": "10001"}, "amount_differs", {"amount": "10001", "meter_number": "99111111111"}, id="the recipient"),
        pytest.param({"meter_number": "99111111111"}, "account_differs", {"meter_number": "99222222222"}, id="another recipient"),
        pytest.param({"meter_number": "99111111111"}, "account_differs", {"meter_number": "98111111111"}, id="with the same last digits"),
        pytest.param({"amount": "-10000"}, "negative_line", {"amount": "-9100000"}, id="the amount of a negative line"),
        pytest.param({"status": "Pending"}, "unknown_status", {"status": "Reversed"}, id="the status"),
        pytest.param({"status": BINNED}, "state_differs", {"status": BINNED, "amount": "900000"}, id="the amount of a binned line"),
    ],
)
def test_a_closure_covers_no_other_difference(shop: Shop, seen: Mapping[str, str], kind: str, changes: Mapping[str, str]) -> None:
    day, (first, second) = sold_day(shop)
    shop.deliver(day, [first.vend.line(**seen), second.vend])
    for found in own(shop.settle(day)):
        shop.close(found, NOTE)
    assert shop.settle(day)["status"] == "balanced"
    with shop.listening() as said:
        shop.deliver(day, [first.vend.line(**changes), second.vend], "0600")
        settled = shop.settle(day)
    found = [one for one in own(settled) if one["status"] == "open"]
    assert (settled["status"], kind in [one["kind"] for one in found]) == ("discrepancies", True)
    told = [
        line for line in said if line["severity"] in {"ERROR", "CRITICAL"} and line.get("discrepancy_id") in [one["id"] for one in found]
    ]
    assert told
    kept = [one for one in own(shop.report(day)) if one["kind"] == kind and one["status"] == "open"]
    assert any(NOTE in json.dumps(one) for one in kept), "the earlier closure is in its history"


def test_a_closure_covers_a_stranger_only_at_its_price(shop: Shop) -> None:
    day, (first, second) = sold_day(shop)
    stranger = first.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a11", merchant_id=f"strange-{day}", amount="1")
    shop.deliver(day, [first.vend, second.vend, stranger])
    shop.close(of_kind(shop.settle(day), "missing_here"), NOTE)
    assert shop.settle(day)["status"] == "balanced"
    shop.deliver(day, [first.vend, second.vend, stranger._replace(amount="900000")], "0600")
    assert of_kind(shop.settle(day), "missing_here")["status"] == "open"


def test_a_closure_holds_where_only_the_line_moves(shop: Shop) -> None:
    day, (first, second) = sold_day(shop)
    shop.deliver(day, [first.vend.line(amount="10001"), second.vend])
    shop.close(of_kind(shop.settle(day), "amount_differs"), NOTE)
    shop.deliver(day, [second.vend, first.vend.line(amount="10001")], "0600")
    settled = shop.settle(day)
    assert (settled["status"], of_kind(settled, "amount_differs")["status"]) == ("balanced", "accepted")


def test_a_closure_ends_with_the_state_it_was_made_in(shop: Shop) -> None:
    day, (first, second) = sold_day(shop)
    shop.deliver(day, [first.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a12"), second.vend])
    settled = shop.settle(day)
    for found in own(settled):
        shop.close(found, NOTE)
    assert shop.settle(day)["status"] == "balanced"
    shop.deliver(day, [first.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a13"), second.vend], "0600")
    assert shop.settle(day)["status"] == "discrepancies"
