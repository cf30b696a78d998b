"""Logs: one JSON object a line, with a trace and without anything that is worth money or names a person."""

import json
import logging
import uuid
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import functions_framework.aio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money
from shared.domain.sts_tokens import StsToken, TokenKind, grouped
from shared.domain.vas import VasType
from shared.lib import logs
from shared.lib.logs import MASKED, REFUSED

TOKEN = "00001111222233334444"
PIN = "1234567890123456"
METER = "01234567890"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

log = logs.logger(__name__)
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    logs.configure()
    yield
    logging.captureWarnings(False)
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What was logged since the last call, each line parsed as strictly as JSON allows."""

    def read() -> list[dict[str, Any]]:
        written = capsys.readouterr()
        assert written.err == ""
        return [json.loads(line, parse_constant=pytest.fail) for line in written.out.splitlines()]

    return read


def line_of(message: str = "said", **fields: object) -> str:
    """The line of a record, without a stream."""
    record = logging.makeLogRecord({"name": "tests", "msg": message, "levelname": "INFO", "fields": fields})
    return logs.JsonFormatter().format(record)


def test_a_line_is_a_message_and_its_fields_as_cloud_logging_reads_them(lines):
    log.warning(
        "vend in doubt", transaction_id="7c9e", cause="ReadTimeout", amount_cents=10000, elapsed_ms=30012, meter_number="12345676789"
    )

    (line,) = lines()
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(line.pop("time")) < timedelta(minutes=1)
    assert line.pop("logger").endswith("test_logs")
    assert line == {
        "severity": "WARNING",
        "message": "vend in doubt",
        "transaction_id": "7c9e",
        "cause": "ReadTimeout",
        "amount_cents": 10000,
        "elapsed_ms": 30012,
        "meter_number": "*6789",
    }


def test_the_severity_is_the_methods_name(lines):
    log.info("a")
    log.warning("a")
    log.error("a")
    log.critical("a")

    assert [line["severity"] for line in lines()] == ["INFO", "WARNING", "ERROR", "CRITICAL"]


def test_no_field_replaces_a_standard_field_of_a_line(lines):
    log.info("said", message="other", severity="OTHER", time="never")

    (line,) = lines()
    assert (line["message"], line["severity"]) == ("said", "INFO")
    assert datetime.fromisoformat(line["time"])


def test_a_percent_sign_in_a_message_is_one(lines):
    log.info("100% of %s")

    assert lines()[0]["message"] == "100% of %s"


@pytest.mark.parametrize("name", ["meter_number", "meterNumber", "account_number", "accountNumber", "mobile_number", "recipient", "msisdn"])
def test_personal_numbers_show_their_last_four_digits(lines, name):
    log.info("said", **{name: METER, "asked": {name: [METER, "27821234567"]}, "absent": {name: None}})

    (line,) = lines()
    assert line[name] == "*7890"
    assert line["asked"] == {name: ["*7890", "*4567"]}
    assert line["absent"] == {name: None}


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "tokens",
        "accessToken",
        "access_token",
        "pin",
        "PIN",
        "voucher_pin",
        "client_secret",
        "Authorization",
        "password",
        "Set-Cookie",
    ],
)
def test_a_field_named_like_a_secret_is_not_logged(lines, name):
    log.info("said", **{name: "anything", "asked": [{name: ["anything"]}]})

    assert "anything" not in line_of(**{name: "anything"})
    (line,) = lines()
    assert line[name] == REFUSED
    assert line["asked"] == [{name: REFUSED}]


def test_a_field_that_only_describes_a_secret_is_logged(lines):
    log.info("said", tokens_due="pending", token_count=2, pinned=True, shipping=1, secret_name="projects/p/secrets/s/versions/latest")

    (line,) = lines()
    assert (line["tokens_due"], line["token_count"], line["pinned"], line["shipping"]) == ("pending", 2, True, 1)
    assert line["secret_name"] == "projects/p/secrets/s/versions/latest"


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        grouped(TOKEN),
        grouped(TOKEN).replace(" ", "-"),
        grouped(TOKEN).replace(" ", "%20"),
        PIN,
        f"x{TOKEN}x",
        f"{TOKEN}.",
        int(TOKEN[4:]),
    ],
)
def test_a_token_in_any_text_is_masked(lines, value):
    message = f"said {value}"
    log.info(message, field=value, nested=[{"field": f"in {value} text"}], **{f"name {value}": 1})
    logging.getLogger("theirs").warning("said %s", value)

    for line in lines():
        assert MASKED in line["message"]
        assert not carries(json.dumps(line), str(value))


@given(
    st.text(max_size=30),
    st.text("0123456789", min_size=16, max_size=40),
    st.lists(
        st.sampled_from(["", " ", "-", "  ", " - "[:2], "\N{NO-BREAK SPACE}", "\N{EN DASH}", "_", "\t", "\n"]), min_size=40, max_size=40
    ),
    st.text(max_size=30),
)
def test_no_bearer_value_passes_in_any_grouping_or_context(before, digits, separators, after):
    written = "".join(digit + separator for digit, separator in zip(digits, separators, strict=False))
    said = json.loads(line_of(field=f"{before}g{written}g{after}"))["field"]

    assert MASKED in said
    assert not carries(said, digits) or carries(before + after, digits)


def carries(text: str, number: str) -> bool:
    """Whether `text` still tells more of `number` than its last four digits."""
    digits = "".join(character for character in number if character.isdecimal())
    return any(digits[at : at + 8] in text for at in range(len(digits) - 7))


def test_meters_and_mobile_numbers_in_the_text_of_others_show_four_digits(lines):
    logging.getLogger("theirs").warning("GET /v1/utility/prevend?meterNumber=%s&to=+27821234567&m13=1234567890123", METER)

    assert lines()[0]["message"] == "GET /v1/utility/prevend?meterNumber=*7890&to=+*4567&m13=*0123"


@pytest.mark.parametrize(
    "said", ["Bearer abc.def-123", "authorization: bearer abc.def-123", "Basic abc.def-123", "eyJhbGciOiJub25lIn0.abc.def-123"]
)
def test_credentials_in_the_text_of_others_are_masked(lines, said):
    logging.getLogger("theirs").error("sent %s", said)

    assert "abc.def" not in lines()[0]["message"]


@pytest.mark.parametrize(
    "identifier",
    [
        str(uuid.UUID(int=0x12345678_1234_4234_8234_123456789012)),
        "FULCRUM.MERCHANT.ACME.RECON.20260502050000.txt",
        TRACE,
        SPAN,
        f"00-{TRACE}-{SPAN}-01",
        "1234567890123456789012345678901a",
        "a" + "1" * 39,
        "f" + "9" * 63,
        "2026-11-22T10:15:30.123456+00:00",
        "2026-11-22 10:15:30,123",
        "projects/vas/topics/transactions",
        "10.128.0.12:8080",
        "R5000.00",
        "1.25 s",
    ],
)
def test_identifiers_and_times_stay_readable(identifier):
    assert json.loads(line_of(identifier, field=f"({identifier})"))["message"] == identifier
    assert json.loads(line_of(field=f"({identifier})"))["field"] == f"({identifier})"


def test_the_values_of_the_core_leave_in_their_readable_form(lines):
    token = StsToken(TokenKind.CREDIT, TOKEN, Decimal("29.7"))
    log.info(
        "said", vas=VasType.UTILITY, price=Money(10_050), units=Decimal("29.7"), day=date(2026, 11, 22), given=token, body=TOKEN.encode()
    )

    (line,) = lines()
    assert (line["vas"], line["price"], line["units"], line["day"]) == ("utility", "R100.50", "29.7", "2026-11-22")
    assert line["body"] == "20 bytes"
    assert TOKEN not in json.dumps(line)


def fail_with(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError as error:
        raise LookupError(secret) from error


def test_an_exception_is_logged_by_types_and_places_never_by_its_text(lines):
    try:
        fail_with("hunter2")
    except LookupError as error:
        log.error("failed", error=error)
        logging.getLogger("theirs").exception("failed too")

    ours, theirs = lines()
    assert "hunter2" not in json.dumps([ours, theirs])
    assert ours["error"] == theirs["exception"]
    assert [each.split(" ")[0] for each in ours["error"]] == ["LookupError", "ValueError"]
    assert all("test_logs.py:" in each and "fail_with" in each for each in ours["error"])


def test_an_exception_that_causes_itself_is_logged_once(lines):
    error = ValueError()
    error.__cause__ = error
    log.error("failed", error=error)

    assert len(lines()) == 1


def test_warnings_of_other_libraries_are_logged_in_our_form(lines):
    theirs = logging.getLogger("theirs.chatty")
    theirs.setLevel(logging.DEBUG)
    theirs.info("a detail")
    theirs.warning("a warning")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a python warning", UserWarning, stacklevel=1)

    first, second = lines()
    theirs.setLevel(logging.NOTSET)
    assert (first["severity"], first["message"], first["logger"]) == ("WARNING", "a warning", "theirs.chatty")
    assert "a python warning" in second["message"]


def test_a_library_with_its_own_handlers_logs_each_line_once_through_ours(lines):
    theirs = logging.getLogger("theirs.with.handlers")
    theirs.addHandler(logging.StreamHandler())
    theirs.propagate = False
    logs.configure()
    theirs.error("said %s", TOKEN)

    assert [line["message"] for line in lines()] == [f"said {MASKED}"]


def test_a_message_whose_arguments_do_not_fit_is_still_logged(lines):
    arguments = ["x"]
    logging.getLogger("theirs").warning("%d of %s", *arguments)

    assert lines()[0]["message"] == "%d of %s"


class Silent(dict[str, object]):
    """A value that fails whoever asks it."""

    def __str__(self) -> str:
        raise RuntimeError(TOKEN)

    def items(self) -> Any:
        raise RuntimeError(TOKEN)


def test_a_value_whose_str_fails_is_logged_by_its_type(lines):
    class Mute:
        __str__ = Silent.__str__

    log.critical("outcome not stored", value=Mute(), transaction_id="7c9e")

    (line,) = lines()
    assert (line["severity"], line["transaction_id"], line["value"]) == ("CRITICAL", "7c9e", "Mute")


def test_a_value_that_fails_costs_its_fields_and_not_the_message(lines):
    log.critical("outcome not stored", value=Silent(), transaction_id="7c9e")

    (line,) = lines()
    assert (line["severity"], line["message"], line["unsaid"]) == ("CRITICAL", "outcome not stored", "RuntimeError")
    assert TOKEN not in json.dumps(line)


def test_nothing_is_formatted_for_a_level_that_is_off(lines):
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    ours = logging.getLogger("gateway")
    ours.setLevel(logging.WARNING)
    log.info("said", value=Costly())
    ours.setLevel(logging.INFO)

    assert lines() == []


def test_a_long_text_is_cut_after_it_was_masked():
    text = "x" * 4090 + TOKEN + "x" * 10_000
    said = json.loads(line_of(field=text))["field"]

    assert len(said) == 4096
    assert "0000" not in said


def test_a_value_inside_itself_is_logged_to_a_depth():
    inside: dict[str, object] = {"many": list(range(1000))}
    inside["self"] = inside

    assert len(line_of(field=inside)) < 5000


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.decimals() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=8) | st.integers(), inner, max_size=4)
        | st.frozensets(st.integers())
        | st.builds(MappingProxyType, st.just({}))
    ),
    max_leaves=10,
)


@given(st.text(st.characters()), JSON_LIKE)
def test_every_line_is_one_line_of_valid_json_for_any_content(message, value):
    line = line_of(message, field=value)

    assert line.isascii()
    assert "\n" not in line
    json.loads(line, parse_constant=pytest.fail).get("message").encode("utf-8")


@pytest.mark.parametrize(
    ("headers", "trace", "span"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN),
        ({"X-Cloud-Trace-Context": f"{TRACE}/67667974448284343;o=1"}, TRACE, SPAN),
        ({"X-Cloud-Trace-Context": f"{TRACE.upper()}"}, TRACE, None),
        ({"traceparent": "nonsense", "X-Cloud-Trace-Context": f"{TRACE}/1"}, TRACE, "0000000000000001"),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, None, None),
        ({"traceparent": f"{TOKEN}"}, None, None),
        ({"X-Cloud-Trace-Context": f"{TRACE}/{'9' * 30}"}, None, None),
        ({}, None, None),
    ],
)
def test_lines_carry_the_trace_of_their_request_and_no_other(lines, headers, trace, span):
    with logs.traced(httpx.Headers(headers), "vas-project"):
        log.info("within")
        logging.getLogger("theirs").warning("within")
    log.info("after")

    *within, after = lines()
    for line in within:
        assert line.get("logging.googleapis.com/trace") == (trace and f"projects/vas-project/traces/{trace}")
        assert line.get("logging.googleapis.com/spanId") == span
    assert not any("googleapis" in name for name in after)


def test_a_trace_without_a_project_is_still_logged(lines):
    with logs.traced(httpx.Headers({"traceparent": f"00-{TRACE}-{SPAN}-01"})):
        log.info("within")

    assert lines()[0]["logging.googleapis.com/trace"] == TRACE


def test_the_next_request_takes_the_logs_back_from_the_framework(lines):
    functions_framework.aio._configure_app_execution_id_logging()  # as the framework does then, with LOG_EXECUTION_ID
    with logs.traced({}):
        log.error("paused", token=TOKEN)
        logging.getLogger("some.library").warning("failed for %s", TOKEN)

    ours, theirs = lines()
    assert (ours["message"], ours["token"]) == ("paused", REFUSED)
    assert theirs["message"] == f"failed for {MASKED}"


async def test_the_platforms_execution_id_joins_our_fields(tmp_path, monkeypatch, lines):
    monkeypatch.setenv("LOG_EXECUTION_ID", "true")
    (tmp_path / "main.py").write_text(
        "import functions_framework.aio\n"
        "from shared.lib import logs\n"
        "logs.configure()\n"
        "log = logs.logger(__name__)\n"
        "@functions_framework.aio.http\n"
        "async def sells(request):\n"
        "    log.info('sold', amount_cents=100)\n"
        "    return 'sold'\n"
    )
    app = functions_framework.aio.create_asgi_app("sells", str(tmp_path / "main.py"), "http")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", verify=False) as http:
        await http.get("/", headers={"Function-Execution-Id": "abc123"})

    (line,) = lines()
    assert (line["message"], line["amount_cents"], line["severity"]) == ("sold", 100, "INFO")
    assert line["logging.googleapis.com/labels"] == {"execution_id": "abc123"}
