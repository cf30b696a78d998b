"""Access tokens over real sockets: fetched once for all, renewed in time, refused and read anew."""

import asyncio
from collections.abc import Callable

import pytest

from shared.domain.outcome import (
    Reason,
    Rejected,
    Vended,
)
from shared.ports.credentials import Credentials
from tests.contract.transport import AIRTIME, ELECTRICITY, REQUEST_ID, SELLS, Clock, Vault, client, not_taken, sell
from tests.stand_ins.switch_on_a_socket import (
    Asked,
    Switch,
    http,
    in_turn,
    is_silent,
    says,
)

UNAUTHORIZED = http(401, {"title": "Unauthorized"})
INVALID_CLIENT = http(401, {"error": "invalid_client"})


async def until(condition: Callable[[], bool]) -> None:
    """Wait for an event beside the test; the test's own assertion names it."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_refused_token_is_dropped_and_only_the_caller_sends_the_vend_again() -> None:
    token = in_turn([says(http(200, {"access_token": name, "expires_in": 7200})) for name in ("first", "second")])
    async with Switch(in_turn([says(UNAUTHORIZED), SELLS]), token) as switch, client(switch.url) as supplier:
        refused = await sell(supplier)
        assert len(switch.sales_asked) == 1
        again = await sell(supplier)

    assert isinstance(refused.outcome, Rejected)
    assert refused.outcome.not_taken
    assert isinstance(again.outcome, Vended)
    assert [one.headers["authorization"] for one in switch.sales_asked] == ["Bearer first", "Bearer second"]
    assert len({one.body for one in switch.sales_asked}) == 1


async def test_1006_is_a_refused_token_too() -> None:
    async with Switch(in_turn([says(http(400, {"fulcrumErrorCode": 1006})), SELLS])) as switch, client(switch.url) as supplier:
        assert isinstance((refused := await sell(supplier)).outcome, Rejected)
        assert refused.outcome.not_taken
        assert isinstance((await sell(supplier)).outcome, Vended)
        assert len(switch.tokens_asked) == 2


async def test_a_supplier_that_refuses_every_token_is_asked_twice_and_no_more() -> None:
    async with Switch(says(UNAUTHORIZED)) as switch, client(switch.url) as supplier:
        refusal = await supplier.prevend(ELECTRICITY, REQUEST_ID)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
    assert [one.target.partition("?")[0] for one in switch.asked] == ["/connect/token", "/v1/utility/prevend"] * 2


async def test_a_403_is_reported_and_never_repeated() -> None:
    async with Switch(says(http(403, {}))) as switch, client(switch.url) as supplier:
        refusal = await supplier.prevend(ELECTRICITY, REQUEST_ID)

    assert isinstance(refusal, Rejected)
    assert len(switch.asked) == 2


async def test_one_token_call_serves_all_who_wait_and_all_who_follow() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        assert await asyncio.gather(*(supplier.ready() for _ in range(50))) == [None] * 50
        assert await supplier.ready() is None

    assert len(switch.tokens_asked) == 1


async def test_one_who_gives_up_leaves_the_others_their_token() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        impatient, patient = asyncio.create_task(supplier.ready()), asyncio.create_task(supplier.ready())
        await asyncio.sleep(0)
        impatient.cancel()

        assert await patient is None
        assert impatient.cancelled()


async def test_a_token_is_renewed_300_seconds_before_it_ends() -> None:
    now = Clock()
    async with Switch(SELLS) as switch, client(switch.url, now=now) as supplier:
        for seconds, calls in ((0, 1), (6899, 1), (1, 2)):
            now.pass_seconds(seconds)
            assert await supplier.ready() is None
            await until(lambda calls=calls: len(switch.tokens_asked) == calls)


@pytest.mark.parametrize("silent", ["the token endpoint", "the secrets"])
async def test_a_renewal_that_hangs_delays_no_sale_while_the_token_is_good(silent: str) -> None:
    now, hangs = Clock(), asyncio.Event()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), is_silent])
    vault = Vault("secret", hangs_after=hangs if silent == "the secrets" else None)
    async with Switch(SELLS, token) as switch, client(switch.url, now=now, vault=vault) as supplier:
        assert await supplier.ready() is None
        hangs.set()
        now.pass_seconds(7200 - 54)
        async with asyncio.timeout(1):
            assert isinstance((await sell(supplier)).outcome, Vended)

    assert [one.headers["authorization"] for one in switch.sales_asked] == ["Bearer first"]


async def test_after_a_failed_renewal_the_next_waits() -> None:
    now = Clock()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), says(http(503, {}))])
    async with Switch(SELLS, token) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7000)
        for seconds, calls in ((0, 2), (9, 2), (1, 3)):
            now.pass_seconds(seconds)
            assert await supplier.ready() is None
            await until(lambda calls=calls: len(switch.tokens_asked) == calls)
            await asyncio.sleep(0.05)  # for a call too many, and until the failure is known
            assert len(switch.tokens_asked) == calls


async def test_while_no_new_token_is_given_the_old_one_is_used_to_its_end() -> None:
    now = Clock()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), says(http(503, {}))])
    async with Switch(SELLS, token) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7199)
        assert await supplier.ready() is None
        now.pass_seconds(1)
        refusal = await supplier.ready()
        assert not_taken(await supplier.vend(AIRTIME, None, REQUEST_ID, 5))

    assert isinstance(refusal, Rejected)
    assert switch.sales_asked == []


async def test_a_rotated_secret_is_read_anew_once() -> None:
    async def token(asked: Asked, writer: asyncio.StreamWriter) -> None:
        is_new = b"client_secret=rotated" in asked.body
        await says(http(200, {"access_token": "t", "expires_in": 7200}) if is_new else INVALID_CLIENT)(asked, writer)

    vault = Vault("old", "rotated")
    async with Switch(SELLS, token) as switch, client(switch.url, vault=vault) as supplier:
        assert isinstance((await sell(supplier)).outcome, Vended)

    assert vault.reads == [False, True]
    assert len(switch.tokens_asked) == 2


async def test_a_secret_that_stays_wrong_is_an_alarm_and_no_loop(said: list[tuple[str, str]]) -> None:
    async with Switch(SELLS, says(INVALID_CLIENT)) as switch, client(switch.url) as supplier:
        refusal = await supplier.ready()

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
    assert len(switch.tokens_asked) == 2
    assert ("CRITICAL", "supplier refuses our credentials") in said


TOKENS_REFUSED = {
    "429": http(429, {}),
    "HTML": http(200, b"<!doctype html>", content_type="text/html"),
    "no token": http(200, {"expires_in": 7200}),
    "no lifetime": http(200, {"access_token": "t"}),
    "a lifetime that is none": http(200, {"access_token": "t", "expires_in": -1}),
    "a lifetime of nought": http(200, {"access_token": "t", "expires_in": 0}),
    "a lifetime in words": http(200, {"access_token": "t", "expires_in": "7200"}),
    "a lifetime that is a flag": http(200, {"access_token": "t", "expires_in": True}),
    "a token that is a number": http(200, {"access_token": 7, "expires_in": 7200}),
    "an empty token": http(200, {"access_token": "", "expires_in": 7200}),
    "a token too long for a header": http(200, {"access_token": "t" * 8001, "expires_in": 7200}),
    "a token that no header can carry": http(200, {"access_token": "a\r\nb", "expires_in": 7200}),
    "marked as simulated": http(200, {"access_token": "t", "expires_in": 7200, "simulated": True}),
}


@pytest.mark.parametrize("answer", TOKENS_REFUSED.values(), ids=TOKENS_REFUSED.keys())
async def test_an_invalid_token_makes_the_client_not_ready(answer: bytes) -> None:
    async with Switch(SELLS, says(answer)) as switch, client(switch.url) as supplier:
        refusal = await supplier.ready()

    assert isinstance(refusal, Rejected)
    assert refusal.reason is (Reason.SUPPLIER_BUSY if b" 429 " in answer else Reason.TEMPORARILY_UNAVAILABLE)


@pytest.mark.parametrize(
    ("lives", "renewed_after", "ends_after"),
    [(1, 0.5, 1), (400, 200, 400), (600, 300, 600), (700, 400, 700), (86_400, 86_100, 86_400), (10**12, 86_100, 86_400)],
)
async def test_a_token_is_renewed_in_time_and_used_for_a_day_at_most(lives: int, renewed_after: float, ends_after: float) -> None:
    now = Clock()
    async with (
        Switch(SELLS, says(http(200, {"access_token": "t" * 8000, "expires_in": lives}))) as switch,
        client(switch.url, now=now) as supplier,
    ):
        assert await supplier.ready() is None
        now.pass_seconds(renewed_after - 0.001)
        assert not supplier._access._is_due()
        now.pass_seconds(0.001)
        assert supplier._access._is_due()
        now.pass_seconds(ends_after - renewed_after - 0.001)
        assert supplier._access.cached() is not None
        now.pass_seconds(0.001)
        assert supplier._access.cached() is None


@pytest.mark.parametrize(
    ("status", "error", "readings"),
    [
        (400, "invalid_client", 2),
        (401, "invalid_client", 2),
        (400, "invalid_scope", 1),
        (403, "invalid_client", 1),
        (500, "invalid_client", 1),
    ],
)
async def test_only_where_the_supplier_refuses_our_credentials_are_they_read_anew(
    status: int, error: str, readings: int, said: list[tuple[str, str]]
) -> None:
    vault = Vault()
    async with Switch(SELLS, says(http(status, {"error": error}))) as switch, client(switch.url, vault=vault) as supplier:
        assert isinstance(await supplier.ready(), Rejected)

    assert vault.reads == [False, True][:readings]
    assert (("CRITICAL", "supplier refuses our credentials") in said) is (readings == 2)


async def test_credentials_that_cannot_be_read_make_nobody_ready_and_wake_somebody(said: list[tuple[str, str]]) -> None:
    async def broken(_: bool) -> Credentials:
        raise RuntimeError("the vault is closed")

    async with Switch(SELLS) as switch, client(switch.url, vault=broken) as supplier:
        assert await supplier.ready() == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "credentials not read")

    assert switch.asked == []
    assert said == [("ERROR", "credentials not read")]


async def test_an_unreachable_switch_is_logged(unused_tcp_port: int, said: list[tuple[str, str]]) -> None:
    async with client(f"http://127.0.0.1:{unused_tcp_port}") as supplier:
        assert isinstance(await supplier.ready(), Rejected)

    assert said == [("WARNING", "supplier not heard")]


async def test_a_token_is_cached_until_the_moment_it_expires() -> None:
    now = Clock()
    async with Switch(SELLS) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7200 - 0.001)
        assert supplier._access.cached() == "first"
        now.pass_seconds(0.001)
        assert supplier._access.cached() is None


async def test_a_token_that_was_refused_is_forgotten_and_one_fetched_meanwhile_is_not() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        assert await supplier.ready() is None
        supplier._access.drop("another")
        assert supplier._access.cached() == "first"
        for _ in range(2):  # the answers of two sales came at once: each drops the token
            supplier._access.drop("first")
            assert supplier._access.cached() is None
