"""Each known status word, and each name under which one may stand: a test notices the loss of any."""

from decimal import Decimal

import pytest

from shared.mobilemart.status_words import Says, flag_says, remark_says, says_no_error, status_says

NO = """
    failed,declined,rejected,refused,denied,deny,cancelled,reversed,voided,error,fault,invalid,expired,aborted,refunded,discarded,dropped
    terminated,withdrawn,revoked,suspended,blocked,barred,forbidden,disallowed,dishonoured,insufficient,exceeded,missing,absent,lost,wrong
    exception,rollback,rolled back,chargeback,incorrect,impossible,mismatch,conflict,corrupt,crashed,offline,unreachable,disconnected,halted
    timeout,timed out,timedout,time out,unsuccessful,unprocessed,unpaid,undelivered,unavailable,unable,unauthorised,unapproved,unfulfilled
    unsold,unissued,unsupported,unprovisioned,bin,binned,bad,err,no,not,never,cannot,nok,nak,nack,ko,ng,false,n,f
    """
NOT_YET = """
    pending,queued,submitted,initiated,started,awaiting,waiting,hold,held,scheduled,deferred,delayed,unknown,indeterminate,undetermined
    uncertain,unresolved,unconfirmed,uncompleted,doubtful,retry,retried,review,partial,incomplete,received,reserved,progress,inprogress
    inprocess,inflight,in flight,ongoing,underway,under way,requested,later,soon,shortly,yet,still,being,process,processing,p
    """
EITHER = "accepted,sent,created,authorised,duplicate"
YES = """
    success,succeeded,completed,approved,vended,delivered,done,processed,fulfilled,confirmed,paid,issued,sold,settled,finalised,passed,posted
    captured,honoured,honored,purchased,executed,finished,credited,recharged,topped up,dispensed,generated,printed,ok,okay,true,yes,good
    valid,pass,s,y
    """


def words(table: str) -> list[str]:
    return [word for row in table.split("\n") for word in row.strip().split(",") if word]


@pytest.mark.parametrize(("table", "says"), [(NO, Says.NO), (NOT_YET, Says.NOT_YET), (YES, Says.YES)])
def test_every_word_of_the_field_says_what_it_says_there_alone_and_in_a_sentence(table: str, says: Says) -> None:
    known = words(table)
    for spelt in (str, str.upper, str.title, lambda word: f"The sale: {word}.", lambda word: f"{word} 77"):
        assert {word: status_says(spelt(word)) for word in known} == dict.fromkeys(known, says)


def test_the_graver_word_counts_and_a_word_about_the_request_is_ambiguous() -> None:
    for word in words(NO):
        assert status_says(f"successful, pending, accepted, {word}") is Says.NO
    for word in words(NOT_YET):
        assert status_says(f"successfully accepted, {word}") is Says.NOT_YET
    for word in words(EITHER):
        assert status_says(word) is status_says(f"successfully {word}") is Says.UNKNOWN


@pytest.mark.parametrize(
    "word", ["binary", "badge", "errand", "note", "knot", "pressing", "kong", "yesterday", "validity", "oke", "passport"]
)
def test_a_word_that_only_begins_like_a_known_one_is_unknown(word: str) -> None:
    assert status_says(word) is Says.UNKNOWN


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        " ",
        "-",
        "\u2013",
        "\u2014",
        ".",
        "_",
        "/",
        "*",
        "\t",
        "\r\n",
        "None",
        "NULL",
        "nil",
        "N/A",
        "n.a.",
        "Not applicable",
        "undefined",
    ],
)
def test_an_empty_value_is_no_status(nothing: str) -> None:
    assert status_says(nothing) is None
    assert status_says(f"{nothing}\u0434\u0430") is Says.UNKNOWN or nothing.strip(" -.\u2013\u2014_/*\t\r\n")


@pytest.mark.parametrize("text", ["~", "?", "\u2713", "\u0434\u0430", "\u5931\u8d25", "- \u5931\u8d25 -"])
def test_a_text_in_another_script_is_unknown_and_may_be_an_error(text: str) -> None:
    assert status_says(text) is Says.UNKNOWN
    assert not says_no_error(text) and not says_no_error({"errors": ["", text]})


@pytest.mark.parametrize("none", ["no", "without", "zero", "0", "nil"])
@pytest.mark.parametrize(
    "trouble", ["error", "errors", "fault", "failure", "failures", "problem", "issue", "issues", "exception", "exceptions"]
)
def test_the_lack_of_trouble_says_yes(none: str, trouble: str) -> None:
    assert status_says(f"{none} {trouble}") is status_says(f"Done: {none} {trouble}") is Says.YES
    assert says_no_error(f"{none} {trouble}")
    assert status_says(f"{none} {trouble}, but failed") is Says.NO


def test_a_long_text_is_read_up_to_200_letters() -> None:
    assert status_says("x" * 193 + " failed") is Says.NO
    assert status_says("x" * 196 + " failed") is Says.UNKNOWN
    assert (status_says("x" * 196 + " bad"), status_says("x" * 197 + " bad")) == (Says.NO, Says.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("It failed", Says.NO),
        ("a failure", Says.NO),
        ("declined", Says.NO),
        ("rejected", Says.NO),
        ("unsuccessful", Says.NO),
        ("binned", Says.NO),
        ("timed out", Says.NO),
        ("pending", Says.NOT_YET),
        ("in progress", Says.NOT_YET),
        ("is processing", Says.NOT_YET),
        ("being processed", Says.NOT_YET),
        ("is processed", Says.YES),
        ("It will not fail", None),
        ("depending", None),
        ("cancelled cheques are void", None),
        ("", None),
    ],
)
def test_a_text_for_people_counts_only_if_it_plainly_names_the_end_of_the_sale(text: str, says: Says | None) -> None:
    assert remark_says(text) is says


TRUE, FALSE = (True, "true", "TRUE", " yes ", "Y", "1", 1), (False, "false", "No", "n", "0", 0)


def test_a_flag_says_yes_or_no_by_what_it_is_about() -> None:
    assert [flag_says(value, good=True) for value in (*TRUE, *FALSE)] == [Says.YES] * 7 + [Says.NO] * 6
    assert [flag_says(value, good=False) for value in (*TRUE, *FALSE)] == [Says.NO] * 7 + [None] * 6
    for good in (True, False):
        assert [flag_says(text, good=good) for text in ("declined", "pending", "approved", "blue", 1.0, None, 2, [], {})] == [
            *(Says.NO, Says.NOT_YET),
            *[None] * 7,
        ]


NUMBERS = [
    *((-1, Says.NO, Says.NO), (1, Says.UNKNOWN, Says.UNKNOWN), (199, Says.UNKNOWN, Says.UNKNOWN), (200, Says.YES, Says.YES)),
    *((201, Says.YES, Says.YES), (202, Says.NOT_YET, Says.NOT_YET), (299, Says.YES, Says.YES), (300, Says.UNKNOWN, Says.UNKNOWN)),
    *((399, Says.UNKNOWN, Says.UNKNOWN), (400, Says.NO, Says.NO), (599, Says.NO, Says.NO), (600, Says.UNKNOWN, Says.UNKNOWN)),
    *((999, Says.UNKNOWN, Says.UNKNOWN), (1000, Says.NO, Says.NO), (1103, Says.NO, Says.NO), (1104, Says.UNKNOWN, Says.UNKNOWN)),
    *((Decimal("0.5"), Says.UNKNOWN, Says.UNKNOWN), (Decimal("-0.5"), Says.NO, Says.NO), ("0.5", Says.UNKNOWN, Says.UNKNOWN)),
    *((0, Says.UNKNOWN, Says.YES), ("00", Says.YES, Says.YES), ("05", Says.UNKNOWN, Says.NO), ("5", Says.UNKNOWN, Says.UNKNOWN)),
    *((12, Says.UNKNOWN, Says.UNKNOWN), ("012", Says.UNKNOWN, Says.UNKNOWN), (None, None, None), (True, Says.YES, Says.YES)),
    *(
        (False, Says.NO, Says.NO),
        ([], Says.UNKNOWN, Says.UNKNOWN),
        ({}, Says.UNKNOWN, Says.UNKNOWN),
        (float("nan"), Says.UNKNOWN, Says.UNKNOWN),
    ),
]


@pytest.mark.parametrize(("value", "as_status", "as_code"), NUMBERS)
def test_a_number_is_a_code_of_http_of_the_suppliers_or_of_iso_8583(value: object, as_status: Says | None, as_code: Says | None) -> None:
    assert (status_says(value), status_says(value, is_code=True)) == (as_status, as_code)


@pytest.mark.parametrize(
    "value", ["0", " 00 ", "0 0", "0.0", "", "none", "Success", "n/a", None, False, 0, 0.0, Decimal("0E-7"), [], {"a": None, "b": "0"}]
)
def test_an_empty_zero_false_or_affirmative_value_is_no_error(value: object) -> None:
    assert says_no_error(value)


@pytest.mark.parametrize("value", ["1", "E0", "Failed", "Pending", "blue", True, 1, -1, 0.5, ["0", 1], {"a": {"b": "5"}}])
def test_every_other_value_is_an_error(value: object) -> None:
    assert not says_no_error(value)
