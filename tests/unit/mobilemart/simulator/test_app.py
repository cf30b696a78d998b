"""The simulated switch's lists of products, and paths that it does not know."""

import re

import pytest

from tests.unit.mobilemart.simulator.merchants import merchant_at, simulator

BILLER = "merchantProductId productName contentCreator minimumAmount maximumAmount"


class TestLists:
    @pytest.mark.parametrize(
        ("vas_type", "fields"),
        [
            ("airtime", "merchantProductId productName contentCreator pinned fixedAmount amount minimumAmount maximumAmount"),
            ("data", "merchantProductId productName contentCreator pinned fixedAmount amount minimumAmount maximumAmount"),
            ("voucher", "merchantProductId productName contentCreator fixedAmount amount minimumAmount maximumAmount"),
            ("bill-payment", f"{BILLER} or {BILLER} pinned"),
            ("utility", "merchantProductId name"),
        ],
    )
    async def test_a_list_is_a_bare_array_of_the_fields_of_its_service(self, vas_type: str, fields: str) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.get(f"/v1/{vas_type}/products")

        rows = answer.json()
        assert isinstance(rows, list)
        assert rows
        assert {frozenset(row) for row in rows} == {frozenset(form.split()) for form in fields.split(" or ")}
        assert all(re.fullmatch("[A-Za-z0-9]{20}", row["merchantProductId"]) for row in rows)
        assert answer.headers["x-simulated"] == "true"

    async def test_an_unchanged_list_is_not_sent_again(self) -> None:
        async with merchant_at(simulator()) as merchant:
            etag = (await merchant.http.get("/v1/voucher/products")).headers["etag"]
            again = await merchant.http.get("/v1/voucher/products", headers={"if-none-match": etag})
            other = await merchant.http.get("/v1/voucher/products", headers={"if-none-match": '"another"'})

        assert (again.status_code, again.content) == (304, b"")
        assert (other.status_code, other.headers["etag"]) == (200, etag)

    @pytest.mark.parametrize("creator", ["vodacom", "Voda Com", "VODACOM"])
    async def test_a_creator_is_found_in_any_case_and_spacing(self, creator: str) -> None:
        async with merchant_at(simulator()) as merchant:
            rows = (await merchant.http.get("/v1/data/products", params={"contentCreator": creator})).json()
            names = (await merchant.http.get("/v1/data/content-creators")).json()

        assert {row["contentCreator"] for row in rows} == {"vodacom"}
        assert names == ["mtn", "telkom", "vodacom"]


class TestPaths:
    @pytest.mark.parametrize("path", ["/", "/api/v1/utility/products", "/v1/billpayment/products", "/v1/utility/purchase", "/oauth/token"])
    async def test_an_unknown_get_is_the_web_apps_page_with_or_without_a_token(self, path: str) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.http.get(path)

        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
        assert "<title>Fulcrum</title>" in answer.text

    @pytest.mark.parametrize("path", ["/oauth/token", "/v1/v1/utility/purchase", "/v1/utility/prevend", "/v1/bill-payment/pay"])
    async def test_an_unknown_post_is_not_allowed(self, path: str) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.post(path, json={})

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
