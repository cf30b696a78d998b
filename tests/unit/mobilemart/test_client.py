"""The client's calls to the switch: their times and bounds, its caches, and its logs. Without a network."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from shared.domain.catalogue import Product
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Answer, NoAnswer, Prevended, RawAnswer, Reason, Receipt, Rejected, Reprint, TokensDue, Unknown, Vended
from shared.domain.policy import AmountCheck, ReprintBy
from shared.domain.transaction import State, Transaction
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Heard, NoReply, Reply
from shared.ports.credentials import Credentials
from tests.logged import logged
from tests.unit.mobilemart.answers import answer, html, problem

REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
TOKEN = answer(200, {"access_token": "first", "expires_in": 7200})
SOLD = answer(200, {"transactionId": "T-1", "amount": 5})
ROWS = [{"merchantProductId": "P", "productName": "A product"}, {"merchantProductId": "Q", "productName": "Another"}]
PRODUCTS = tuple(Product(VasType.UTILITY, row["merchantProductId"], row["productName"]) for row in ROWS)
NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)


class Switch:
    """Replaces the exchange: returns answers in turn, the last one from then on, and records each call."""

    def __init__(self, *answers: Heard, tokens: Sequence[Heard] = (TOKEN,)) -> None:
        self.answers, self.tokens = list(answers), list(tokens)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.is_closed = False

    async def __call__(self, call: Call, **how: Any) -> Heard:
        self.asked.append((call.path, how))
        left = self.tokens if call.path == "/connect/token" else self.answers
        return left.pop(0) if len(left) > 1 else left[0]

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def client(switch: Switch, now: Clock | None = None, **settings: Any) -> MobileMart:
    async def credentials(_: bool) -> Credentials:
        return Credentials("our-id", "secret")

    chosen = replace(Settings(base_url="https://switch.example", mode=Mode.LIVE), **settings)
    supplier = MobileMart(httpx.MockTransport(lambda _: httpx.Response(500)), chosen, credentials, now or Clock())
    supplier._exchange = switch  # type: ignore[assignment]
    return supplier


def in_doubt(order: Order, **changes: Any) -> Transaction:
    fields: dict[str, Any] = {
        "id": "0" * 32,
        "version": 1,
        "mode": Mode.LIVE,
        "caller": Caller("issuer", "subject"),
        "idempotency_key": "k",
    }
    times = {"created_at": NOW, "updated_at": NOW, "day": date(2026, 5, 1), "send_by": NOW, "lease_until": NOW}
    sale = {"fingerprint": "f", "order": order, "request_id": REQUEST_ID, "supplier_prevend_id": None, "state": State.IN_DOUBT}
    return Transaction(**fields | times | sale | changes)


# --- times and bounds

MEGA = 1024 * 1024


def test_the_clients_defaults_follow_the_contract() -> None:
    assert client(Switch(SOLD))._settings == Settings(
        base_url="https://switch.example",
        mode=Mode.LIVE,
        tender_type="CreditCard",
        reprint_by=ReprintBy.REQUEST_ID,
        utility_product_id=None,
        amount_check=AmountCheck.ALERT,
        connect_timeout_seconds=5,
        timeout_seconds=60,
    )


@pytest.mark.parametrize(("connect", "for_a_token"), [(5, 5), (10, 10), (30, 10.0)])
async def test_each_call_has_its_times_and_its_bound(connect: float, for_a_token: float) -> None:
    switch = Switch(answer(200, ROWS, etag='"v1"'))
    supplier = client(switch, connect_timeout_seconds=connect, timeout_seconds=45)
    read = {"access_token": "first", "seconds": 45, "connect_seconds": connect}

    await supplier.products(VasType.DATA)
    await supplier.prevend(ELECTRICITY, REQUEST_ID)
    await supplier.reprint(in_doubt(ELECTRICITY))
    await supplier.vend(AIRTIME, None, REQUEST_ID, 2)
    await supplier.vend(AIRTIME, None, REQUEST_ID, 600)

    assert switch.asked == [
        ("/connect/token", {"seconds": 10.0, "connect_seconds": for_a_token}),
        ("/v1/data/products", read | {"etag": None, "most_bytes": 8 * MEGA}),
        ("/v1/utility/prevend", read | {"etag": None, "most_bytes": MEGA}),
        ("/v1/utility/reprint", read | {"etag": None, "most_bytes": MEGA}),
        ("/v1/airtime/pinless", read | {"connect_seconds": 2}),
        ("/v1/airtime/pinless", read),
    ]


@pytest.mark.parametrize(("within", "is_sent"), [(0.001, True), (0, False), (-1, False)])
async def test_a_vend_is_sent_within_its_window_alone(within: float, is_sent: bool) -> None:
    switch = Switch(SOLD)
    supplier = client(switch)
    assert await supplier.ready() is None

    sold = await supplier.vend(AIRTIME, None, REQUEST_ID, within)

    assert switch.paths[1:] == ["/v1/airtime/pinless"] * is_sent
    if not is_sent:
        assert sold == Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "too late to send", not_taken=True))


async def test_without_a_token_nothing_is_sent_and_the_answer_names_the_reason() -> None:
    switch = Switch(SOLD, tokens=[html(503)])
    supplier = client(switch)
    refusal = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 503, no JSON")

    assert await supplier.vend(AIRTIME, None, REQUEST_ID, 5) == Answer(
        Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no access token at hand", not_taken=True)
    )
    assert switch.asked == []
    assert await supplier.ready() == await supplier.products(VasType.DATA) == await supplier.prevend(ELECTRICITY, REQUEST_ID) == refusal
    assert await supplier.reprint(in_doubt(ELECTRICITY)) == Reprint(NoAnswer("HTTP 503, no JSON"), None)
    assert set(switch.paths) == {"/connect/token"}


async def test_closing_the_client_closes_its_connections() -> None:
    switch = Switch(SOLD)
    supplier = client(switch)
    renewal = supplier._access._renew.begin()
    await supplier.aclose()

    assert switch.is_closed
    with pytest.raises(BaseException) as ended:
        await renewal
    assert type(ended.value).__name__ == "CancelledError"


# --- a refused token


@pytest.mark.parametrize("refusal", [html(401), problem(400, 1006), problem(401, 1001)])
async def test_a_call_that_moves_no_money_is_sent_once_more_with_a_new_token(refusal: Reply) -> None:
    tokens = [answer(200, {"access_token": name, "expires_in": 7200}) for name in ("first", "second", "third")]
    switch = Switch(refusal, answer(200, {"transactionId": "PV-1"}), tokens=tokens)
    assert await client(switch).prevend(ELECTRICITY, REQUEST_ID) == Prevended("PV-1")
    assert [how.get("access_token") for _, how in switch.asked] == [None, "first", None, "second"]

    switch = Switch(refusal, refusal, answer(200, {"transactionId": "PV-1"}), tokens=tokens)
    refused = await client(switch).prevend(ELECTRICITY, REQUEST_ID)
    assert isinstance(refused, Rejected) and refused.not_taken
    assert switch.paths == ["/connect/token", "/v1/utility/prevend"] * 2


@pytest.mark.parametrize("heard", [NoReply("TimeoutError"), NoReply("refused", never_sent=True), problem(403, None), html(500), html(429)])
async def test_every_other_answer_ends_the_call_and_leaves_the_token(heard: Heard) -> None:
    switch = Switch(heard, answer(200, {"transactionId": "PV-1"}))
    supplier = client(switch)

    assert isinstance(await supplier.prevend(ELECTRICITY, REQUEST_ID), Rejected)
    assert switch.paths == ["/connect/token", "/v1/utility/prevend"]
    assert supplier._access.cached() == "first"


@pytest.mark.parametrize(("refusal", "is_dropped"), [(html(401), True), (problem(400, 1006), True), (html(403), False), (html(503), False)])
async def test_a_vend_whose_token_was_refused_drops_it_and_is_not_repeated(refusal: Reply, is_dropped: bool) -> None:
    switch = Switch(refusal)
    supplier = client(switch)
    assert await supplier.ready() is None

    outcome = (await supplier.vend(AIRTIME, None, REQUEST_ID, 5)).outcome

    assert switch.paths == ["/connect/token", "/v1/airtime/pinless"]
    assert (supplier._access.cached() is None) is is_dropped
    assert (isinstance(outcome, Rejected) and outcome.not_taken) is is_dropped


# --- the raw answer of a vend


@pytest.mark.parametrize("heard", [SOLD, html(500), problem(400, 1001)])
async def test_an_answer_is_stored_as_it_arrived(heard: Reply) -> None:
    def kept(source: str) -> RawAnswer:
        return RawAnswer.of(source, NOW, heard.status, heard.content_type, heard.body)

    supplier = client(Switch(heard))
    assert await supplier.ready() is None
    assert (await supplier.vend(AIRTIME, None, REQUEST_ID, 5)).raw == kept("vend")
    assert (await supplier.reprint(in_doubt(ELECTRICITY))).raw == kept("reprint")


async def test_a_missing_answer_stores_nothing() -> None:
    supplier = client(Switch(NoReply("TimeoutError")))
    assert await supplier.ready() is None
    assert await supplier.vend(AIRTIME, None, REQUEST_ID, 5) == Answer(Unknown("TimeoutError"), None)
    assert await supplier.reprint(in_doubt(ELECTRICITY)) == Reprint(NoAnswer("TimeoutError"), None)


@pytest.mark.parametrize(
    ("by", "can"), [(ReprintBy.REQUEST_ID, (True, True)), (ReprintBy.TRANSACTION_ID, (False, True)), (ReprintBy.NONE, (False, False))]
)
async def test_a_reprint_is_asked_where_there_is_an_id_to_ask_by(by: ReprintBy, can: tuple[bool, bool]) -> None:
    switch = Switch(problem(400, 1003))
    supplier = client(switch, reprint_by=by)
    vended = in_doubt(ELECTRICITY, state=State.VENDED, outcome=Vended(Receipt(supplier_transaction_id="T-1", tokens_due=TokensDue.PENDING)))

    assert (supplier.can_reprint(in_doubt(ELECTRICITY)), supplier.can_reprint(vended)) == can
    assert not supplier.can_reprint(in_doubt(AIRTIME))
    for sale, asks in zip((in_doubt(ELECTRICITY), vended), can, strict=True):
        switch.asked.clear()
        reprint = await supplier.reprint(sale)
        assert switch.paths[-1:] == ["/v1/utility/reprint"] * asks
        assert asks or reprint == Reprint(NoAnswer("nothing to ask a reprint by"), None)


@pytest.mark.parametrize(("by", "result"), [(ReprintBy.REQUEST_ID, Unknown), (ReprintBy.TRANSACTION_ID, NoAnswer)])
async def test_a_reprint_that_differs_indicates_a_vend_under_our_request_id_alone(by: ReprintBy, result: type) -> None:
    differs = answer(200, {"transactionId": "T-1", "amount": 101})
    vended = in_doubt(ELECTRICITY, outcome=Vended(Receipt(supplier_transaction_id="T-1")))
    assert type((await client(Switch(differs), reprint_by=by).reprint(vended)).result) is result
    other = answer(200, {"transactionId": "T-2", "amount": 100})
    assert type((await client(Switch(other), reprint_by=by).reprint(vended)).result) is (Vended if result is Unknown else NoAnswer)


# --- catalogues


async def test_a_304_is_no_catalogue_without_a_cached_one() -> None:
    supplier = client(Switch(Reply.of(304, {}, b"")))
    for vas_type in VasType:
        assert await supplier.products(vas_type) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 304, no JSON")


async def test_a_catalogue_is_kept_for_fifteen_minutes_and_asked_for_by_its_mark() -> None:
    now, switch = Clock(), Switch(answer(200, ROWS, etag='"v1"'), Reply.of(304, {}, b""), Reply.of(304, {}, b""), answer(200, ROWS[:1]))
    supplier = client(switch, now)
    marks = []
    for seconds, count, asked in ((0, 2, 1), (899.9, 2, 1), (0.1, 2, 2), (899.9, 2, 2), (0.1, 2, 3), (900, 1, 4), (900, 1, 5)):
        now.at += timedelta(seconds=seconds)
        products = await supplier.products(VasType.UTILITY)
        assert products == PRODUCTS[:count]
        assert len(switch.paths) - switch.paths.count("/connect/token") == asked
    marks = [how["etag"] for path, how in switch.asked if path != "/connect/token"]
    assert marks == [None, '"v1"', '"v1"', '"v1"', None]


async def test_a_catalogue_of_one_service_is_no_other_services() -> None:
    switch = Switch(answer(200, ROWS))
    supplier = client(switch)
    for vas_type in (*VasType, *VasType):
        products = await supplier.products(vas_type)
        assert isinstance(products, tuple) and {product.vas_type for product in products} == {vas_type}
    assert switch.paths == ["/connect/token", *(f"/v1/{vas_type}/products" for vas_type in VasType)]


@pytest.mark.parametrize("heard", [NoReply("TimeoutError"), html(200), html(503), problem(400, 1011)])
async def test_a_refusal_is_not_kept_and_leaves_the_list_before_it_for_its_mark(heard: Heard) -> None:
    now, switch = Clock(), Switch(answer(200, ROWS, etag='"v1"'), heard, answer(200, ROWS, etag='"v2"'))
    supplier = client(switch, now)
    assert isinstance(await supplier.products(VasType.DATA), tuple)
    now.at += timedelta(seconds=900)
    assert isinstance(await supplier.products(VasType.DATA), Rejected)
    assert isinstance(await supplier.products(VasType.DATA), tuple)
    assert [how["etag"] for _, how in switch.asked[1:]] == [None, '"v1"', '"v1"']


@pytest.mark.parametrize(
    ("vas_type", "configured", "is_missed"),
    [
        (VasType.UTILITY, "P", False),
        (VasType.UTILITY, "Q", False),
        (VasType.UTILITY, "R", True),
        (VasType.UTILITY, None, False),
        *((vas_type, "R", False) for vas_type in VasType if vas_type is not VasType.UTILITY),
    ],
)
async def test_a_configured_product_that_is_not_listed_is_logged_at_each_refresh(
    vas_type: VasType, configured: str | None, is_missed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    now = Clock()
    supplier = client(Switch(answer(200, ROWS, etag='"v1"'), Reply.of(304, {}, b"")), now, utility_product_id=configured)
    line = ("ERROR", "configured product not listed", {"merchant_product_id": configured, "listed": 2})
    for refreshes in (1, 1, 2):
        await supplier.products(vas_type)
        assert logged(caplog) == [line] * refreshes * is_missed
        now.at += timedelta(seconds=450)


# --- answers that an operator must see

SIMULATED = answer(200, {"transactionId": "T-1", "simulated": True})
ALARMS: list[tuple[Heard, tuple[str, str] | None]] = [
    (NoReply("TimeoutError"), ("WARNING", "supplier not heard")),
    (SIMULATED, ("ERROR", "supplier says simulated")),
    (problem(400, 1008, simulated=True), ("ERROR", "supplier says simulated")),
    (problem(400, 1008), ("CRITICAL", "float exhausted")),
    (problem(403, 1008), ("CRITICAL", "float exhausted")),
    (problem(400, 1010), ("ERROR", "supplier refuses the request")),
    (problem(403, 1010), ("ERROR", "supplier refuses the request")),
    (problem(403, None), ("ERROR", "supplier forbids")),
    (problem(403, 1099), ("ERROR", "supplier forbids")),
    (html(200), ("ERROR", "supplier answered no JSON")),
    (Reply.of(200, {"content-type": "application/json"}, b"{", None), ("ERROR", "supplier answered no JSON")),
    (problem(400, 1099), ("ERROR", "unknown supplier code")),
    (problem(500, 1099), ("ERROR", "unknown supplier code")),
    (problem(400, 1001), None),
    (problem(400, None), None),
    (problem(402, None), None),
    (problem(404, None), None),
    (html(500), None),
    (html(429), None),
    (html(401), None),
    (Reply.of(304, {}, b""), None),
    (answer(201, {"transactionId": "PV-1"}), None),
    (answer(200, []), None),
]


@pytest.mark.parametrize(("heard", "alarm"), ALARMS)
async def test_each_answer_for_an_operator_is_logged_once(
    heard: Heard, alarm: tuple[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    if isinstance(heard, NoReply):
        more: dict[str, object] = {"cause": heard.cause}
    else:
        more = {} if alarm == ("CRITICAL", "float exhausted") else {"answer": heard.description}

    def line(path: str) -> list[tuple[str, str, dict[str, object]]]:
        return [] if alarm is None else [(*alarm, {"path": path} | more)]

    supplier = client(Switch(heard))
    await supplier.ready()
    caplog.clear()
    await supplier.vend(ELECTRICITY, "PV-1", REQUEST_ID, 5)
    assert [one for one in logged(caplog) if not one[1].startswith("vend ")] == line("/v1/utility/purchase")

    for is_refused in (False, True):
        tokens = [heard] if is_refused else [TOKEN]
        caplog.clear()
        await client(Switch(heard, tokens=tokens)).prevend(ELECTRICITY, REQUEST_ID)
        asked = 2 if isinstance(heard, Reply) and heard.is_unauthenticated and not is_refused else 1
        assert logged(caplog) == line("/connect/token" if is_refused else "/v1/utility/prevend") * asked


async def test_our_own_simulator_may_say_that_it_simulates(caplog: pytest.LogCaptureFixture) -> None:
    supplier = client(Switch(SIMULATED), mode=Mode.SIMULATED)
    assert await supplier.ready() is None
    assert isinstance((await supplier.vend(AIRTIME, None, REQUEST_ID, 5)).outcome, Vended)
    assert logged(caplog) == []


DIFFERS = {"transactionId": "T-1", "amount": 6}
NAMED = {"request_id": REQUEST_ID, "vas_type": VasType.AIRTIME, "amount_cents": 500}


@pytest.mark.parametrize(
    ("said", "check", "outcome", "line"),
    [
        (DIFFERS, AmountCheck.ALERT, Vended, ("CRITICAL", "vend amount differs", NAMED | {"why": "more than asked"})),
        (DIFFERS, AmountCheck.DOUBT, Unknown, ("CRITICAL", "vend amount differs", NAMED | {"why": "more than asked"})),
        (
            {"transactionId": "T-1", "status": "Failed"},
            AmountCheck.ALERT,
            Unknown,
            ("CRITICAL", "vend answer does not match", NAMED | {"why": "its status says no"}),
        ),
        ({"transactionId": "T-1", "status": "Success"}, AmountCheck.ALERT, Vended, None),
    ],
)
async def test_a_suspicious_answer_is_logged_and_decides_as_configured(
    said: dict[str, object], check: AmountCheck, outcome: type, line: object, caplog: pytest.LogCaptureFixture
) -> None:
    supplier = client(Switch(answer(200, said)), amount_check=check)
    assert await supplier.ready() is None
    assert type((await supplier.vend(AIRTIME, None, REQUEST_ID, 5)).outcome) is outcome
    assert logged(caplog) == ([] if line is None else [line])


async def test_a_pin_beside_an_unknown_status_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    pinned = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", pinned=True)
    supplier = client(Switch(answer(200, {"transactionId": "T-1", "status": "Partying", "additionalDetails": {"pin": "1234567890"}})))
    assert await supplier.ready() is None
    assert isinstance((await supplier.vend(pinned, None, REQUEST_ID, 5)).outcome, Vended)
    assert logged(caplog) == [("WARNING", "vend status not known", NAMED | {"why": None})]
