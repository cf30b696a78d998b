"""Bad input, over real sockets: everything is refused with the contract's answer, nothing is sold, and no key is spent."""

import asyncio
import json

import httpx
import pytest

from tests.functions.wallet import AIRTIME, METER, Wallet, fields_at_fault, new_key, problem, sale

JSON = {"content-type": "application/json"}


@pytest.fixture(params=["purchase", "prevend"])
def function(request, prevend, purchase) -> httpx.Client:
    return {"purchase": purchase, "prevend": prevend}[request.param]


def post(function: httpx.Client, content, path: str = "/utility", **headers: str) -> httpx.Response:
    return function.post(path, content=content, headers={"Idempotency-Key": new_key(), **JSON, **headers})


# Bodies


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"not json",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b'{"amountCents": 10000,}',
        b'{"amountCents": NaN}',
        b'{"amountCents": -Infinity}',
        b'{"amountCents": 1e999}',
        b'{"amountCents": ' + b"9" * 5000 + b"}",
        b'{"reference": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"reference": "line\nbreak"}',
        b"null",
        b"true",
        b"10000",
        b'"text"',
        b"[]",
        b'[{"meterNumber": "12345678901", "amountCents": 10000}]',
        b"[" * 16_000,
        b'{"a":' * 3_000,
    ],
    ids=lambda content: content[:24],
)
def test_what_is_no_json_object_is_refused(function, content):
    assert fields_at_fault(post(function, content)) == {""}


def test_a_request_without_body_or_type_is_refused(function):
    assert fields_at_fault(function.post("/utility", headers={"Idempotency-Key": new_key()})) == {""}


def test_a_field_that_is_there_twice_is_refused(function):
    body = b'{"meterNumber": "12345678901", "amountCents": 10000, "amountCents": 20000}'
    assert fields_at_fault(post(function, body)) == {"amountCents"}


def test_a_field_that_is_there_twice_is_named_even_if_no_answer_could_hold_its_name(function):
    assert fields_at_fault(post(function, b'{"\\ud800": 1, "\\ud800": 2}')) == {"\\ud800"}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "",
    ],
)
def test_only_json_is_json(function, content_type):
    problem(post(function, json.dumps(METER), **{"content-type": content_type}), 415, "not-json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'])
def test_json_may_name_its_charset(prevend, content_type):
    assert post(prevend, json.dumps(METER), **{"content-type": content_type}).status_code == 200


def test_a_compressed_body_is_not_json(function):
    problem(post(function, json.dumps(METER), **{"content-encoding": "gzip"}), 415, "not-json")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"meterNumber", "amountCents"}),
        ({**METER, "unknown": 1}, {"unknown"}),
        ({**METER, "meterNumber": "1234567890a", "amountCents": "100", "x": 1}, {"meterNumber", "amountCents", "x"}),
        *(
            ({**METER, "amountCents": amount}, {"amountCents"})
            for amount in (0, -1, 100.5, 100.0, 99, 500_001, 10**18, "100", True, None, [100])
        ),
        *(
            ({**METER, "meterNumber": meter}, {"meterNumber"})
            for meter in (
                "1234567890",
                "123456789012",
                "12345678901234",
                "1234567890O",
                "١٢٣٤٥٦٧٨٩٠١",
                "１２３４５６７８９０１",
                "12345678901\n",
                12345678901,
            )
        ),
    ],
)
def test_every_field_at_fault_is_named(function, body, fields):
    assert fields_at_fault(post(function, json.dumps(body))) == fields


def test_no_answer_quotes_what_was_sent(function):
    body = {"meterNumber": "<script>4711</script>", "amountCents": "<script>4711</script>"}
    assert "4711" not in post(function, json.dumps(body)).text


def test_ten_mebibytes_are_refused_unread(function):
    problem(post(function, b" " * (10 * 1024 * 1024)), 413, "too-large")
    assert function.get("/health").is_success


def test_ten_mebibytes_of_unsaid_length_are_refused_while_they_come(function):
    def chunks():
        for _ in range(160):
            yield b" " * 65_536

    problem(post(function, chunks()), 413, "too-large")


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(purchase):
    reader, writer = await asyncio.open_connection(purchase.base_url.host, purchase.base_url.port)
    head = "POST /utility HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


def test_the_largest_request_is_read(prevend):
    padded = json.dumps(METER).ljust(16 * 1024)
    assert post(prevend, padded).status_code == 200
    problem(post(prevend, padded + " "), 413, "too-large")


def test_a_pinless_sale_needs_a_number_of_a_network(wallet):
    assert fields_at_fault(wallet.buy("airtime", {**AIRTIME, "mobileNumber": "0521234567"})) == {"mobileNumber"}
    assert fields_at_fault(wallet.buy("airtime", {name: AIRTIME[name] for name in ("amountCents", "merchantProductId")})) == {
        "mobileNumber"
    }


# Keys


def test_a_purchase_needs_a_key(purchase):
    problem(purchase.post("/utility", json=METER), 400, "idempotency-key-missing")


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\tbed", "caf\xe9", "\x80"])
def test_a_malformed_key_is_refused(purchase, key):
    response = purchase.post("/utility", json=METER, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    problem(response, 400, "idempotency-key-malformed")


@pytest.mark.parametrize("control", [b"\x00", b"\x07", b"\x7f", b"\x1b"])
async def test_a_control_character_in_a_key_gets_no_further(purchase, control):
    """Some of them not even past the server, which then answers by itself."""
    reader, writer = await asyncio.open_connection(purchase.base_url.host, purchase.base_url.port)
    body = json.dumps(METER).encode()
    writer.write(
        b"POST /utility HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Idempotency-Key: a" + control + b"b\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    async with asyncio.timeout(10):
        assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


def test_two_keys_are_no_key(purchase):
    headers = [("Idempotency-Key", new_key()), ("Idempotency-Key", new_key())]
    problem(purchase.post("/utility", json=METER, headers=headers), 400, "idempotency-key-malformed")


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted"', "a/b?c#d", "7c9e6679-7425-40de-944b-e07fc1f90ae7"])
def test_any_255_visible_characters_are_a_key(wallet, key):
    sold = sale(wallet.buy("utility", METER, key), 201)
    assert sale(wallet.get("/transactions", idempotencyKey=key), 200) == sold


def test_a_refused_request_leaves_its_key_free(wallet):
    key = new_key()
    wallet.buy("utility", {**METER, "amountCents": 0}, key)
    wallet.buy("nothing", METER, key)
    assert problem(wallet.get("/transactions", idempotencyKey=key), 404, "not-found")["retry"] == "same-key"
    sale(wallet.buy("utility", METER, key), 201)


# Paths and methods


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/Utility", "/utility/", "/utility/x", "//utility", "/utility%2Fx", "/utility%0A", "/health/x"]
)
def test_a_path_that_there_is_not_is_not_found(function, path):
    problem(post(function, json.dumps(METER), path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *((method, path, 405) for method in ("PROPFIND", "TRACE", "BUY") for path in ("/utility", "/health")),
        *(("GET", path, 404) for path in ("/robots.txt", "/favicon.ico")),
        ("POST", "/utility%0Ax", 404),
    ],
)
def test_what_the_framework_answers_by_itself_is_as_the_contract_says(function, method, path, status):
    """In plain text, for what it lets through to no function: nothing is begun, and nothing said of an outcome."""
    response = function.request(method, path, json=METER, headers={"Idempotency-Key": new_key()})
    assert (response.status_code, response.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert "cache-control" not in response.headers and "state" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/utility", "POST"),
        ("DELETE", "/electricity", "POST"),
        ("PUT", "/voucher", "POST"),
        ("OPTIONS", "/utility", "POST"),
        ("POST", "/transactions", "GET, HEAD"),
        ("PATCH", f"/transactions/{'0' * 32}", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_of_purchase_does_not_have_is_told_which_it_has(purchase, method, path, allowed):
    response = purchase.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/utility", "GET, HEAD, POST"), ("POST", "/voucher/products", "GET, HEAD"), ("PUT", "/health", "GET, HEAD")],
)
def test_a_method_that_a_path_of_prevend_does_not_have_is_told_which_it_has(prevend, method, path, allowed):
    response = prevend.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


# Queries


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {"idempotencyKey"}),
        ("cursor=" + "0" * 32, {"idempotencyKey"}),
        ("idempotencyKey=", {"idempotencyKey"}),
        ("idempotencyKey=a%00b", {"idempotencyKey"}),
        ("idempotencyKey=" + "x" * 256, {"idempotencyKey"}),
        ("idempotencyKey=a&idempotencyKey=b", {"idempotencyKey"}),
        ("idempotencyKey=a&day=2026-05-01", {"idempotencyKey"}),
        ("day=today", {"day"}),
        ("day=20260501", {"day"}),
        ("day=2026-02-30", {"day"}),
        ("day=%D9%A2026-05-01", {"day"}),
        ("day=2026-05-01&cursor=x", {"cursor"}),
        ("day=x&cursor=x", {"day", "cursor"}),
        ("day=2026-05-01&caller=other", {"caller"}),
    ],
)
def test_a_query_for_sales_names_a_key_or_a_day(purchase, query, fields):
    assert fields_at_fault(purchase.get(f"/transactions?{query}")) == fields


def test_who_names_a_key_and_a_day_is_told_that_one_is_too_many(purchase):
    (error,) = problem(purchase.get("/transactions?idempotencyKey=a&day=2026-05-01"), 400, "body-invalid")["errors"]
    assert "not both" in error["message"]


def test_a_caller_without_a_name_is_nobody(prevend, purchase):
    response = Wallet(prevend, purchase, caller="two words").buy("utility", METER)
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"
