"""How any answer of the supplier is read: its mark of the simulator, its encoding, its code, its version."""

import pytest

from shared.domain.outcome import NoAnswer, Reason, Rejected, Unknown, Vended
from shared.domain.vas import Mode, VasType
from shared.mobilemart.responses import SAYS_SIMULATED, NoReply, Reply, read_prevend, read_products, read_reprint
from tests.unit.mobilemart.answers import ELECTRICITY, answer, html, problem, vend

MARKED = [
    answer(200, {"transactionId": "T-1", "simulated": True}),
    answer(200, {"transactionId": "T-1"}, **{"x-simulated": "true"}),
    answer(400, {"fulcrumErrorCode": 1001, "simulated": True}),
    answer(401, {}, **{"x-simulated": "True"}),
    answer(429, {}, **{"x-simulated": "true"}),
]


@pytest.mark.parametrize("reply", MARKED)
def test_live_mode_believes_nothing_that_is_marked_as_simulated(reply: Reply) -> None:
    assert vend(reply) == Unknown(SAYS_SIMULATED, sign_of_vend=reply.status == 200)
    assert read_prevend(reply, ELECTRICITY, Mode.LIVE) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    assert read_products(reply, VasType.DATA, Mode.LIVE) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    assert read_reprint(reply, ELECTRICITY, Mode.LIVE) == NoAnswer(SAYS_SIMULATED)


def test_simulated_mode_expects_the_mark() -> None:
    assert [type(vend(reply, mode=Mode.SIMULATED)) for reply in MARKED] == [Vended, Vended, Rejected, Rejected, Rejected]


@pytest.mark.parametrize("value", [False, "true", 1, None, {"simulated": True}])
def test_only_true_is_the_mark(value: object) -> None:
    assert isinstance(vend(answer(200, {"transactionId": "T-1", "simulated": value})), Vended)


@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        *(({"content-type": kind}, True) for kind in ("application/json", " APPLICATION/JSON ;charset=utf-8", "application/a.b-1+json")),
        *(({"content-type": kind}, False) for kind in ("", "text/json", "application/jsonp", "application/+json", "xapplication/json")),
        *(({"content-encoding": coding}, True) for coding in ("", "identity", " Identity ")),
        *(({"content-encoding": coding}, False) for coding in ("gzip", "identity, gzip", "br")),
        ({}, True),
    ],
)
def test_an_answer_is_read_where_it_calls_itself_json_and_is_not_packed(headers: dict[str, str], is_read: bool) -> None:
    reply = Reply.of(200, {"content-type": "application/json", **headers}, b'{"a": 1}')

    assert reply.json == ({"a": 1} if is_read else None)
    assert (reply.fault is None) is (is_read or "content-encoding" not in headers)


def test_an_answer_without_a_header_or_a_body_holds_nothing() -> None:
    bare = Reply.of(401, {}, b"")

    assert bare == Reply(401) == Reply(401, content_type=None, body=b"", json=None, fault=None, retry_after=None, etag=None)
    assert (bare.says_simulated, bare.code, NoReply("x").never_sent) == (False, None, False)


def test_an_answer_that_was_cut_and_packed_was_cut() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    assert Reply.of(200, headers, b"{}", "cut").fault == "cut"


@pytest.mark.parametrize(("value", "code"), [(1, 1), (-1, -1), (1001, 1001), (0, None), (True, None), ("1001", None), (1001.5, None)])
def test_the_suppliers_code_is_a_whole_number_and_zero_is_none(value: object, code: int | None) -> None:
    assert answer(400, {"fulcrumErrorCode": value}).code == code


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', '""', f'"{"v" * 200}"', '"!#~"'])
def test_a_mark_of_a_version_is_kept_where_it_has_its_form(etag: str) -> None:
    assert answer(200, [], etag=etag).etag == etag
    for other in (etag.replace("W", "w") if "W" in etag else etag[1:], f"{etag} ", f"x{etag}", f'"{"v" * 201}"', '"a b"', '"a"b"', ""):
        assert answer(200, [], etag=other).etag is None
    assert answer(200, []).etag is None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(200, {}), "HTTP 200"),
        (problem(400, 1001), "HTTP 400 code 1001 AmountInvalid"),
        (problem(400, 1099), "HTTP 400 code 1099"),
        *((problem(400, code), f"HTTP 400 code {code}") for code in (999_999, -999_999)),
        *((problem(400, code), "HTTP 400") for code in (0, 1_000_000, -1_000_000, True, "1001", 1001.5, None)),
        (answer(401, {}), "HTTP 401 Unauthorized"),
        (html(200), "HTTP 200, no JSON"),
        (Reply.of(200, {"content-type": "application/json"}, b"{}", "cut"), "HTTP 200, cut"),
        (
            Reply.of(200, {"content-type": "application/json", "content-encoding": "br"}, b""),
            "HTTP 200, an encoding that was not asked for",
        ),
    ],
)
def test_an_answer_is_described_in_our_words(reply: Reply, words: str) -> None:
    assert reply.description == words
