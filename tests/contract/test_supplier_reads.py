"""Calls that move no money, over real sockets: catalogues, prevends, reprints."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import (
    NoAnswer,
    NoSuchTransaction,
    Prevended,
    Reason,
    Receipt,
    Rejected,
    Reprint,
    Vended,
)
from shared.domain.policy import ReprintBy
from shared.domain.transaction import State, Transaction
from shared.domain.vas import Mode, Order, VasType
from tests.contract.transport import AIRTIME, ELECTRICITY, REQUEST_ID, Clock, client
from tests.stand_ins.switch_on_a_socket import (
    Switch,
    http,
    in_turn,
    says,
)

PRODUCTS = [{"merchantProductId": "P", "productName": "A product"}]


async def test_a_catalogue_is_asked_for_once_in_15_minutes_and_once_for_all_who_wait() -> None:
    now = Clock()
    async with Switch(says(http(200, PRODUCTS))) as switch, client(switch.url, now=now) as supplier:
        first, *others = await asyncio.gather(*(supplier.products(VasType.DATA) for _ in range(20)))
        now.pass_seconds(899)
        assert all(one == first for one in (*others, await supplier.products(VasType.DATA)))
        assert len(switch.asked) == 2
        await supplier.products(VasType.VOUCHER)
        now.pass_seconds(1)
        await supplier.products(VasType.DATA)

    assert [one.target for one in switch.asked[1:]] == ["/v1/data/products", "/v1/voucher/products", "/v1/data/products"]


async def test_a_catalogue_that_has_not_changed_is_kept_by_its_etag() -> None:
    now = Clock()
    unchanged = b'HTTP/1.1 304 Not Modified\r\netag: "v1"\r\n\r\n'
    async with (
        Switch(in_turn([says(http(200, PRODUCTS, 'etag: "v1"')), says(unchanged)])) as switch,
        client(switch.url, now=now) as supplier,
    ):
        first = await supplier.products(VasType.DATA)
        for _ in range(2):
            now.pass_seconds(900)
            assert await supplier.products(VasType.DATA) == first

    assert [one.headers.get("if-none-match") for one in switch.asked[1:]] == [None, '"v1"', '"v1"']


async def test_a_304_means_nothing_without_a_cached_catalogue() -> None:
    async with Switch(says(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as switch, client(switch.url) as supplier:
        refusal = await supplier.products(VasType.DATA)

    assert isinstance(refusal, Rejected) and refusal.reason is Reason.TEMPORARILY_UNAVAILABLE


async def test_a_catalogue_from_before_the_clock_stepped_back_is_asked_for_again() -> None:
    now = Clock()
    async with Switch(says(http(200, PRODUCTS))) as switch, client(switch.url, now=now) as supplier:
        for seconds, calls in ((0, 1), (0, 1), (-1, 2), (899, 2), (1, 3)):
            now.pass_seconds(seconds)
            await supplier.products(VasType.DATA)
            assert len(switch.asked) - 1 == calls


@pytest.mark.parametrize(("megabytes", "is_read"), [(7, True), (9, False)])
async def test_a_catalogue_may_be_larger_than_any_other_answer(megabytes: int, is_read: bool) -> None:
    rows = [*PRODUCTS, {"productName": "x" * (megabytes * 1024 * 1024)}]
    async with Switch(says(http(200, rows))) as switch, client(switch.url, timeout_seconds=20) as supplier:
        assert isinstance(await supplier.products(VasType.DATA), tuple) is is_read


async def test_a_web_page_is_no_catalogue_and_is_not_kept() -> None:
    page = says(http(200, b"<!doctype html>" * 300, content_type="text/html"))
    async with Switch(in_turn([page, says(http(200, PRODUCTS))])) as switch, client(switch.url) as supplier:
        refusal, products = await supplier.products(VasType.DATA), await supplier.products(VasType.DATA)

    assert isinstance(refusal, Rejected)
    assert isinstance(products, tuple)
    assert len(products) == 1


async def test_a_prevend_is_confirmed_over_the_wire() -> None:
    async with (
        Switch(says(http(200, {"transactionId": "PV-1", "minimumPurchaseAmount": 339.26}))) as switch,
        client(switch.url) as supplier,
    ):
        assert await supplier.prevend(ELECTRICITY, REQUEST_ID) == Prevended("PV-1", Money(33_926))


async def test_a_reprint_carries_its_words() -> None:
    async with Switch(says(http(400, {"fulcrumErrorCode": 1003}))) as switch, client(switch.url) as supplier:
        reprint = await supplier.reprint(sale_of(ELECTRICITY))
        nothing = await supplier.reprint(sale_of(AIRTIME))
    async with client("http://switch.invalid", reprint_by=ReprintBy.NONE) as supplier:
        none = await supplier.reprint(sale_of(ELECTRICITY))

    assert isinstance(reprint.result, NoSuchTransaction)
    assert reprint.raw is not None
    assert (reprint.raw.source, reprint.raw.status) == ("reprint", 400)
    assert [one.target for one in switch.asked[1:]] == [f"/v1/utility/reprint?requestId={REQUEST_ID}"]
    assert nothing == none == Reprint(NoAnswer("nothing to ask a reprint by"))


async def test_a_reprint_by_the_suppliers_id_names_it_and_is_believed_of_that_sale_alone() -> None:
    known = replace(sale_of(ELECTRICITY), state=State.VENDED, outcome=Vended(Receipt(supplier_transaction_id="T-1")))
    found = {"transactionId": "T-1", "additionalDetails": {"productAmount": "100.00", "tokens": ["12345678901234567890"]}}
    behave = in_turn([says(http(200, found)), says(http(200, found | {"transactionId": "T-2"}))])
    async with Switch(behave) as switch, client(switch.url, reprint_by=ReprintBy.TRANSACTION_ID) as supplier:
        assert supplier.can_reprint(known) and not supplier.can_reprint(sale_of(ELECTRICITY))
        answers = [(await supplier.reprint(known)).result for _ in range(2)]

    assert [type(answer) for answer in answers] == [Vended, NoAnswer]
    assert [one.target for one in switch.asked[1:]] == ["/v1/utility/reprint?transactionId=T-1"] * 2


def sale_of(order: Order) -> Transaction:
    """Build a sale in doubt."""
    at = datetime(2026, 5, 1, 8, tzinfo=UTC)
    return Transaction(
        id="0" * 32,
        version=1,
        mode=Mode.LIVE,
        caller=Caller("issuer", "subject"),
        idempotency_key="key",
        fingerprint="f",
        order=order,
        request_id=REQUEST_ID,
        supplier_prevend_id=None,
        state=State.IN_DOUBT,
        created_at=at,
        updated_at=at,
        day=at.date(),
        send_by=at,
        lease_until=at,
    )
