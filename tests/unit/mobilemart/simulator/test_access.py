"""The simulated switch's access tokens."""

from datetime import timedelta

import pytest

from shared.mobilemart.simulator import PLAIN, Behaviour, Service
from tests.unit.mobilemart.simulator.merchants import NOON, Clock, merchant_at, simulator


class TestAccess:
    async def test_a_token_is_given_for_the_right_credentials(self) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.log_in()

        assert answer.status_code == 200
        assert answer.json() == {
            "access_token": answer.json()["access_token"],
            "token_type": "Bearer",
            "expires_in": 7200,
            "simulated": True,
        }
        assert answer.headers["cache-control"] == "no-store"

    async def test_a_wrong_secret_is_an_invalid_client(self) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.log_in("another")

        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"

    @pytest.mark.parametrize(
        "authorization", [None, "Bearer x", "Bearer simulated.9999999999.00", "Bearer simulated.9999999999.é", "Basic eDp5"]
    )
    async def test_a_call_without_a_good_token_is_refused_before_anything_happens(self, authorization: str | None) -> None:
        switch = simulator()
        async with merchant_at(switch, logged_in=False) as merchant:
            if authorization is not None:
                merchant.http.headers["authorization"] = authorization
            answer = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER))

        assert answer.status_code == 401
        assert await switch.vends() == []

    async def test_a_token_ends_after_its_lifetime(self) -> None:
        clock = Clock()
        async with merchant_at(simulator(Behaviour(access_token_seconds=60), now=clock)) as merchant:
            clock.at = NOON + timedelta(seconds=59)
            before = await merchant.http.get("/v1/utility/products")
            clock.at = NOON + timedelta(seconds=60)
            after = await merchant.http.get("/v1/utility/products")

        assert (before.status_code, after.status_code) == (200, 401)

    @pytest.mark.parametrize(("scope", "status"), [("api", 200), ("openid api", 200), (None, 401), ("", 401), ("apis", 401), ("API", 401)])
    async def test_only_a_token_for_the_scope_api_is_accepted(self, scope: str | None, status: int) -> None:
        switch = simulator()
        async with merchant_at(switch, logged_in=False) as merchant:
            given = await merchant.log_in(scope=scope)
            listed = await merchant.http.get("/v1/voucher/products")
            sold = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER))

        assert (given.status_code, given.json()["token_type"], given.json()["expires_in"]) == (200, "Bearer", 7200)
        assert (listed.status_code, sold.status_code) == (status, status)
        assert len(await switch.vends()) == (status == 200)

    async def test_any_process_takes_the_token_of_another(self) -> None:
        async with merchant_at(simulator()) as here, merchant_at(simulator(), logged_in=False) as there:
            there.http.headers["authorization"] = here.http.headers["authorization"]
            answer = await there.http.get("/v1/utility/products")

        assert answer.status_code == 200
