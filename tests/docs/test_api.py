"""The consumer that docs/api.md shows: in whatever order and however often messages come, money moves once, and nothing newer is lost."""

from itertools import permutations
from typing import Any

import pytest

from shared.domain.outcome import Reason, Receipt, Rejected, TokensDue
from shared.domain.policy import ConsumerDetails
from shared.domain.transaction import EventName, Transaction
from shared.schemas.responses import event_body
from tests.docs.pages import Page
from tests.sales import RECEIPT, in_doubt, rejected, vended

[(_, CONSUMER)] = Page.read("docs/api.md").fences("python")


def heard(messages: list[dict[str, Any]]) -> tuple[list[str], list[str], dict[str, Any]]:
    """What was captured and released, and the sales that are kept, after these messages."""
    page: dict[str, Any] = {}
    exec(CONSUMER, page)
    captured, released, seen, sales = [], [], set(), {}
    for message in messages:
        page["receive"](message, seen, sales, captured.append, released.append)
    return captured, released, sales


def message(event: EventName, sale: Transaction, version: int) -> dict[str, Any]:
    return {**event_body(event, sale, ConsumerDetails.MASKED), "version": version}


DOUBT = [message(EventName.IN_DOUBT, in_doubt(), 2), message(EventName.NEEDS_REVIEW, in_doubt(), 2)]
TOKEN_TO_FOLLOW = vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))
VENDED = [*DOUBT, message(EventName.VENDED, TOKEN_TO_FOLLOW, 3), message(EventName.TOKENS, vended(RECEIPT), 4)]
REJECTED = [*DOUBT, message(EventName.REJECTED, rejected(Rejected(Reason.METER_UNKNOWN, "1016")), 3)]


@pytest.mark.parametrize(("messages", "moved"), [(VENDED, "captured"), (REJECTED, "released")], ids=["vended", "rejected"])
def test_money_moves_the_right_way_and_the_newest_is_kept_in_whatever_order_messages_come(messages, moved):
    for order in permutations(messages):
        captured, released, sales = heard([*order, *order])
        assert {"captured": set(captured), "released": set(released)} == {"captured": set(), "released": set(), moved: {"basket 7"}}
        assert list(sales.values()) == [messages[-1]]


def test_a_message_that_comes_again_moves_no_money():
    captured, released, _ = heard([VENDED[2]] * 3)
    assert (captured, released) == (["basket 7"], [])
