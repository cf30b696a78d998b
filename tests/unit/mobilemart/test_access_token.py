"""The access token: when it is requested, how long it is used, and the effect of a refusal. Without a network."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import Mode
from shared.mobilemart import access_token
from shared.mobilemart.access_token import Access, AccessToken
from shared.mobilemart.requests import Call, token_call
from shared.mobilemart.responses import SAYS_SIMULATED, Heard, NoReply
from shared.ports.credentials import Credentials
from tests.logged import logged
from tests.unit.mobilemart.answers import answer, html, problem

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DENIED = answer(401, {"error": "invalid_client"})


def granted(value: object = "first", lives: object = 7200) -> Heard:
    return answer(200, {"access_token": value, "expires_in": lives})


class World:
    """A token endpoint that answers in turn, the last answer from then on; a vault; and a clock that the test moves."""

    def __init__(self, *answers: Heard, mode: Mode = Mode.LIVE, secrets: tuple[str, ...] = ("secret",)) -> None:
        self.answers, self.secrets = list(answers), list(secrets)
        self.at = NOW
        self.asked: list[Call] = []
        self.read_anew: list[bool] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.access = Access(self.ask, self.credentials, lambda: self.at, mode)

    async def ask(self, call: Call) -> Heard:
        self.asked.append(call)
        await self.may_answer.wait()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def credentials(self, anew: bool) -> Credentials:
        self.read_anew.append(anew)
        return Credentials("our-id", self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0])


@pytest.mark.parametrize(
    ("lives", "renew_after", "expires_after"),
    [(1, 0.5, 1), (599, 299.5, 599), (600, 300, 600), (601, 301, 601), (7200, 6900, 7200), (86_399, 86_099, 86_399)]
    + [(longer, 86_100, 86_400) for longer in (86_400, 86_401, 10**15)],
)
async def test_a_token_is_renewed_300_seconds_before_its_end_or_in_the_middle_of_its_life(
    lives: int, renew_after: float, expires_after: float
) -> None:
    world = World(granted(lives=lives))
    assert await world.access.token() == "first"
    assert world.access._held == AccessToken("first", NOW + timedelta(seconds=renew_after), NOW + timedelta(seconds=expires_after))
    for seconds, is_due, is_at_hand in (
        (renew_after - 0.001, False, True),
        (renew_after, True, True),
        (expires_after - 0.001, True, True),
        (expires_after, True, False),
    ):
        world.at = NOW + timedelta(seconds=seconds)
        assert (world.access._is_due(), world.access.cached()) == (is_due, "first" if is_at_hand else None)


def test_without_a_token_nothing_is_cached_or_due() -> None:
    world = World(granted())
    assert (world.access.cached(), world.access._is_due(), world.asked) == (None, False, [])


async def test_a_renewal_runs_beside_the_sales_and_the_cached_token_is_used_meanwhile() -> None:
    world = World(granted(), granted("second"))
    assert await world.access.token() == "first"
    world.at += timedelta(seconds=6900)
    world.may_answer.clear()
    async with asyncio.timeout(1):
        assert [await world.access.token() for _ in range(3)] == ["first"] * 3
    await asyncio.sleep(0)
    assert len(world.asked) == 2
    renewal = world.access._renew.begin()
    world.may_answer.set()
    assert (await renewal, await world.access.token(), len(world.asked)) == ("second", "second", 2)


async def test_after_a_failed_renewal_the_next_waits_for_ten_seconds() -> None:
    world = World(granted(), html(503), granted("second", lives=1))
    assert await world.access.token() == "first"
    world.at += timedelta(seconds=6900)
    assert isinstance(await world.access._renew(), Rejected)
    for seconds, is_due in ((0, False), (9.999, False), (0.001, True)):
        world.at += timedelta(seconds=seconds)
        assert world.access._is_due() is is_due
    assert await world.access._renew() == "second"
    assert not world.access._is_due()
    world.at += timedelta(seconds=0.5)
    assert world.access._is_due()


async def test_a_call_without_a_token_waits_for_no_pause() -> None:
    world = World(html(503), granted())
    assert isinstance(await world.access.token(), Rejected)
    assert await world.access.token() == "first"


async def test_a_refused_token_is_dropped_and_another_that_was_fetched_meanwhile_stays() -> None:
    world = World(granted())
    assert await world.access.token() == "first"
    world.access.drop("older")
    assert world.access.cached() == "first"
    world.access.drop("first")
    assert world.access.cached() is None
    world.access.drop("first")


async def test_a_closed_client_renews_no_more() -> None:
    world = World(granted())
    world.may_answer.clear()
    waiting = asyncio.create_task(world.access.token())
    await asyncio.sleep(0)
    world.access.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 1)


# --- credentials


async def test_the_secret_goes_out_as_it_was_read_and_is_read_anew_once_if_refused(caplog: pytest.LogCaptureFixture) -> None:
    world = World(DENIED, granted(), secrets=("old", "rotated"))
    assert await world.access.token() == "first"
    assert world.asked == [token_call("our-id", "old"), token_call("our-id", "rotated")]
    assert (world.read_anew, logged(caplog)) == ([False, True], [])
    shown = repr((await world.credentials(False), world.access._held, world.asked))
    assert "our-id" in shown and "expires_at" in shown and not any(secret in shown for secret in ("old", "rotated", "first"))


@pytest.mark.parametrize("status", [400, 401])
async def test_credentials_that_stay_refused_are_an_alarm(status: int, caplog: pytest.LogCaptureFixture) -> None:
    world = World(answer(status, {"error": "invalid_client"}))
    refusal = await world.access.token()
    assert isinstance(refusal, Rejected) and refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
    assert (len(world.asked), world.read_anew) == (2, [False, True])
    assert logged(caplog) == [("CRITICAL", "supplier refuses our credentials", {"status": status})]


@pytest.mark.parametrize(
    "second", [html(503), NoReply("TimeoutError"), answer(400, {"error": "invalid_scope"})], ids=["503", "silence", "scope"]
)
async def test_another_second_answer_raises_no_alarm(second: Heard, caplog: pytest.LogCaptureFixture) -> None:
    world = World(DENIED, second)
    assert isinstance(await world.access.token(), Rejected)
    assert (len(world.asked), logged(caplog)) == (2, [])


@pytest.mark.parametrize(
    "heard",
    [answer(403, {"error": "invalid_client"}), answer(500, {"error": "invalid_client"}), answer(400, {"error": "invalid"}), html(401)],
)
async def test_every_other_refusal_is_asked_for_once(heard: Heard) -> None:
    world = World(heard)
    assert isinstance(await world.access.token(), Rejected)
    assert world.read_anew == [False]


async def test_credentials_that_hang_end_after_ten_seconds(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def hang(_: bool) -> Credentials:
        await asyncio.Event().wait()
        raise AssertionError

    assert access_token.CREDENTIALS_SECONDS == 10
    monkeypatch.setattr(access_token, "CREDENTIALS_SECONDS", 0.01)
    world = World(granted())
    waiting = Access(world.ask, hang, lambda: NOW, Mode.LIVE).token()
    assert await asyncio.wait_for(waiting, 1) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "credentials not read")
    assert (world.asked, logged(caplog)) == ([], [("ERROR", "credentials not read", {"cause": "TimeoutError"})])


# --- answers that hold no token


@pytest.mark.parametrize("value", ["t", "t" * 8000, "!~", "a.b-c_d"])
async def test_a_token_is_what_a_header_can_carry(value: str) -> None:
    assert await World(granted(value)).access.token() == value


@pytest.mark.parametrize(
    "heard",
    [
        *(granted(value) for value in ("", " ", "a b", "t" * 8001, "a\r\nb", "\x7f", "é", 7, None, ["t"])),
        *(granted(lives=lives) for lives in (0, -1, True, "7200", 7200.5, None)),
        answer(200, {"expires_in": 7200}),
        answer(200, {"access_token": "t"}),
        answer(400, {"access_token": "t", "expires_in": 7200}),
        answer(200, {"access_token": "t", "expires_in": 7200, "errorCode": 5}),
        html(200),
    ],
)
async def test_an_invalid_token_makes_the_client_not_ready(heard: Heard) -> None:
    world = World(heard)
    refusal = await world.access.token()
    assert isinstance(refusal, Rejected) and (refusal.reason, refusal.retry_after_seconds) == (Reason.TEMPORARILY_UNAVAILABLE, None)
    assert (world.access._held, world.access.cached()) == (None, None)


@pytest.mark.parametrize(
    ("heard", "refusal"),
    [
        (answer(429, {}, **{"retry-after": "17"}), Rejected(Reason.SUPPLIER_BUSY, "HTTP 429 TooManyRequests", retry_after_seconds=17)),
        (html(503), Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 503, no JSON")),
        (
            problem(400, 1008),
            Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 400 code 1008 MerchantCreditLimitReached", float_exhausted=True),
        ),
        (NoReply("TimeoutError"), Rejected(Reason.TEMPORARILY_UNAVAILABLE, "TimeoutError")),
        (answer(200, {"access_token": "t", "expires_in": 9, "simulated": True}), Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)),
    ],
)
async def test_a_refusal_says_why(heard: Heard, refusal: Rejected) -> None:
    assert await World(heard).access.token() == refusal


async def test_a_simulators_token_serves_a_simulation() -> None:
    said: dict[str, Any] = {"access_token": "t", "expires_in": 9, "simulated": True}
    assert await World(answer(200, said), mode=Mode.SIMULATED).access.token() == "t"
