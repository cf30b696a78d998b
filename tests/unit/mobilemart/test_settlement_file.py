from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.statement import FileName, FileRefused, Total
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import FILE_VAS_TYPES, MAX_FAULTS, MAX_LINE_BYTES, Line, SettlementFile
from shared.mobilemart.settlement_format import FORMAT
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from tests.file_forms import Form, formed

DAY = date(2026, 5, 1)
UTILITY = (
    "D|Utility|Services|SimOperator|6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10|3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f|Purchase|Successful"
    "|20260501|101530|Credit Card|10000||Electricity||||12345678901|KWH|29.7|Sim Municipality|False||"
)
AIRTIME = (
    "D|Airtime|Pinless|vodacom|0f2b7c1a-93a5-4f6b-8b4a-7f6f1f0c2d11|8a7b6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d|Payment|Binned"
    "|20260501|233005|Wallet|5000||Airtime R50||0720012345||||||||"
)


def content(*details, head="H|1|20260501", count=None, end="\n"):
    lines = [head, *details, f"T|{len(details) + 2 if count is None else count}"]
    return "".join(f"{line}{end}" for line in lines).encode()


def changed(line, position, value):
    fields = line.split("|")
    fields[position] = value
    return "|".join(fields)


def read(data, size=1 << 20):
    file = SettlementFile(data[at : at + size] for at in range(0, len(data), size))
    return list(file), file


def faults(data, size=1 << 20):
    with pytest.raises(FileRefused) as refused:
        read(data, size)
    return refused.value.faults


def test_the_documented_example_is_read():
    (utility, airtime), file = read(content(UTILITY, AIRTIME))
    assert (file.day, file.version) == (DAY, "1")
    assert (utility.service, utility.cents, utility.recipient) == (VasType.UTILITY, 10_000, "12345678901")
    assert utility.at == datetime(2026, 5, 1, 8, 15, 30, tzinfo=UTC)
    assert (airtime.service, airtime.status, airtime.recipient) == (VasType.AIRTIME, "Binned", "0720012345")


def test_the_summary_tells_what_is_billed_from_what_is_only_listed():
    _, file = read(content(UTILITY, AIRTIME))
    assert file.summary.all == Total(2, 15_000)
    assert file.summary.successful[VasType.UTILITY] == Total(1, 10_000)
    assert file.summary.successful[VasType.AIRTIME] == Total(0, 0)


def test_the_summary_is_not_there_before_the_last_line_was_judged():
    file = SettlementFile([content(UTILITY)])
    next(iter(file))
    with pytest.raises(ValueError, match="end"):
        file.summary  # noqa: B018


def test_a_day_without_sales_is_valid():
    assert read(content())[0] == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_lines_are_the_same_however_they_end_and_arrive(end, size):
    assert read(content(UTILITY, AIRTIME, end=end), size)[0] == read(content(UTILITY, AIRTIME))[0]


def test_a_last_line_needs_no_line_end_and_a_byte_order_mark_says_nothing():
    assert read(b"\xef\xbb\xbf" + content(UTILITY).removesuffix(b"\n"))[0] == read(content(UTILITY))[0]


def test_every_minute_of_an_hour_is_valid():
    lines, _ = read(content(*(changed(UTILITY, 9, f"10{minute:02d}00") for minute in range(60))))
    assert [line.at.minute for line in lines] == list(range(60))


@pytest.mark.parametrize(("amount", "cents"), [("-9900", -9900), ("0", 0), ("007", 7), ("-0", 0)])
def test_amounts_are_whole_cents(amount, cents):
    assert read(content(changed(UTILITY, 11, amount)))[0][0].cents == cents


def test_an_unknown_status_is_no_fault_of_the_format():
    assert read(content(changed(UTILITY, 7, "Pending")))[0][0].status == "Pending"


@pytest.mark.parametrize(
    ("position", "value", "name"),
    [
        (1, "Lotto", "VAS type"),
        (2, "", "VAS category"),
        (3, "", "provider"),
        (4, "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a1", "Fulcrum transaction id"),
        (4, "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a1g", "Fulcrum transaction id"),
        (6, "Refund", "transaction type"),
        (7, "", "transaction status"),
        (8, "20260230", "date"),
        (8, "2026051", "date"),
        (8, "00010101", "date"),
        (8, "99991231", "date"),
        (9, "240000", "time"),
        (9, "106000", "time"),
        (9, "10:15:30", "time"),
        (11, "", "amount"),
        (11, "99.00", "amount"),
        (11, "+9900", "amount"),
        (11, " 9900", "amount"),
        (11, "9_900", "amount"),
        (11, "٩٩", "amount"),
        (11, "--9", "amount"),
        (13, "", "product name"),
        (17, "123\x00456", "meter number"),
        (16, "x" * 129, "account number"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(position, value, name):
    (fault,) = faults(content(AIRTIME, changed(UTILITY, position, value)))
    assert (fault.line, fault.field, fault.name) == (3, position, name)


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", 1, "header"),
        (b"\n" + content(), 1, "header"),
        (content(head="H|1|20260231"), 1, "header"),
        (content(head="H|1|2026-05-01"), 1, "header"),
        (content(head="H|1|00260501"), 1, "header"),
        (content(head="H|1|99991231"), 1, "header"),
        (content("H|1|20260501"), 2, "no detail line"),
        (content(UTILITY, ""), 3, "no detail line"),
        (content(" " + UTILITY), 2, "no detail line"),
        (content(UTILITY.removesuffix("|")), 2, "23 positions"),
        (content(UTILITY + "|"), 2, "25 positions"),
        (content(UTILITY).rsplit(b"T", 1)[0], 3, "missing"),
        (content(UTILITY, count=2), 3, "counts 2"),
        (content(UTILITY, count=4), 3, "counts 4"),
        (content(UTILITY) + b"\n" + UTILITY.encode(), 4, "behind the trailer"),
        (content(UTILITY) + b"\x1a\nT|3\n", 5, "no detail line"),
        (content(UTILITY, "", AIRTIME), 3, "no detail line"),
        (content(UTILITY) + b"\n" * 1_001, 1_004, "blank"),
        (content(UTILITY, head="H|1|20260501|ACME"), 1, "header"),
        (content(UTILITY).replace(b"T|3", b"T|3|10000"), 3, "no detail line"),
        (content(UTILITY).replace(b"T|3", b" T|3"), 3, "no detail line"),
        (content(UTILITY, head="h|1|20260501"), 1, "header"),
        (content(f"d{UTILITY[1:]}"), 2, "no detail line"),
        (content(UTILITY).replace(b"T|3", b"t|3"), 3, "no detail line"),
        (content(UTILITY.replace("Electricity", "Elec|tricity")), 2, "25 positions"),
        (content(changed(UTILITY, 17, "\t12345678901")), 2, "meter number"),
        (content(changed(UTILITY, 7, "Successful\t")), 2, "transaction status"),
        (content(changed(UTILITY, 13, "Elec\x0ctricity")), 2, "product name"),
        (content(UTILITY).decode().encode("utf-16"), 1, "header"),
        (content(UTILITY, AIRTIME).replace(b"\n", b"\r", 1).replace(b"\n", b"\r\n"), 3, "no detail line"),
        (content(UTILITY) + UTILITY.encode(), 4, "behind the trailer"),
        (content(UTILITY, "T|3"), 4, "no detail line"),
        (content(UTILITY.replace("Electricity", "Elec\ntricity")), 2, "14 positions"),
        (content(UTILITY.replace("Electricity", "Elec\rtricity")), 2, "product name"),
        (content(UTILITY).replace(b"12345678901", b"1234567890\xff"), 2, "UTF-8"),
        (content(UTILITY).replace(b"Successful", b"Successf\xfcl"), 2, "UTF-8"),
        (content(UTILITY).replace(b"3f1d6c1e", b"3f1d6c1\xe9"), 2, "UTF-8"),
        (content(UTILITY).replace(b"H|1", b"H|\xe9"), 1, "line 1: is not UTF-8"),
        (content(UTILITY).replace(b"Electricity|", b"Electri\xff"), 2, "UTF-8"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused(data, line, message):
    first = faults(data)[0]
    assert first.line == line
    assert message in str(first)
    assert faults(data, size=5)[0] == first


LETTER = UTILITY.replace("Sim Municipality", "Municipalit\u00e9")
UTF_8_BESIDE = AIRTIME.replace("vodacom", "v\u00f6dacom")
HARMLESS = {
    "blank lines behind the trailer": (content(UTILITY) + b"\n \t\n\r\n", [(4, 3, "behind the trailer")]),
    "a Ctrl-Z behind the trailer": (content(UTILITY) + b"\x1a", [(4, 1, "behind the trailer")]),
    "a Ctrl-Z on the trailer's line": (content(UTILITY)[:-1] + b"\x1a", [(3, 1, "ends in blanks")]),
    "a Ctrl-Z and what fills its block": (content(UTILITY) + b"\x1a" * 90 + bytes(30), [(4, 1, "behind the trailer")]),
    "NULs behind the trailer": (content(UTILITY)[:-1] + bytes(500), [(3, 1, "ends in blanks")]),
    "a form feed behind the trailer": (content(UTILITY) + b"\x0c\n", [(4, 1, "behind the trailer")]),
    "a separator behind the header": (content(UTILITY, head="H|1|20260501|"), [(1, 1, "separator")]),
    "a row of separators behind the header": (content(UTILITY, head="H|1|20260501" + "|" * 21), [(1, 1, "separator")]),
    "a separator behind the trailer's count": (content(UTILITY).replace(b"T|3", b"T|3|"), [(3, 1, "separator")]),
    "both, with CRLF": (content(UTILITY, head="H|1|20260501|", end="\r\n").replace(b"T|3", b"T|3|"), [(1, 2, "separator")]),
    "blanks behind the header": (content(UTILITY, head="H|1|20260501  "), [(1, 1, "ends in blanks")]),
    "blanks behind the trailer's count": (content(UTILITY).replace(b"T|3", b"T|3 \t "), [(3, 1, "ends in blanks")]),
    "tabs behind a line": (content(UTILITY + "\t\t", AIRTIME), [(2, 1, "ends in blanks")]),
    "blanks without end behind a line": (content(UTILITY + " " * 200), [(2, 1, "ends in blanks")]),
    "CRs as a transfer doubles them": (content(UTILITY, AIRTIME, end="\r\r\n"), [(1, 4, "ends in blanks")]),
    "CR alone": (content(UTILITY, AIRTIME, end="\r"), [(1, 1, "CR without LF")]),
    "a tab in a product's name": (content(changed(UTILITY, 13, "Elec\ttricity")), [(2, 1, "tab")]),
    "byte order marks": (content("\ufeff" + UTILITY, AIRTIME).replace(b"T|4", b"\xef\xbb\xbfT|4"), [(2, 2, "byte order mark")]),
    "two byte order marks before all": (b"\xef\xbb\xbf" * 2 + content(UTILITY), []),
    "a letter in Windows-1252": (content(AIRTIME, LETTER).decode().encode("cp1252"), [(3, 1, "Windows-1252")]),
    "a letter in Windows-1252 beside UTF-8": (
        content(UTF_8_BESIDE, UTILITY).replace(b"Sim Mun", b"S\xecm Mun"),
        [(3, 1, "Windows-1252")],
    ),
    "both in one line": (content(UTF_8_BESIDE).replace(b"Airtime R50", b"Airtim\xe9"), [(2, 1, "Windows-1252")]),
    "a byte that Windows-1252 does not have": (content(UTILITY).replace(b"SimOperator", b"Sim\x81Operator"), [(2, 1, "Windows-1252")]),
    "zeros before the count": (content(UTILITY).replace(b"T|3", b"T|0000003"), []),
}


COMPARED = {1, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17}
TEXTS_THAT_MUST_BE = {2, 3, 7, 13}
MAY_BE_EMPTY = {5, 10, 12, *range(14, 24)}


@pytest.mark.parametrize("position", range(1, 24))
def test_another_form_is_read_in_no_field_that_is_compared_and_in_every_other(position):
    line = changed(UTILITY, position, "here")
    for put, message in ((b"a\tb", "tab"), (b"a\xe9b", "Windows-1252")):
        data = content(line).replace(b"|here", b"|" + put)
        if position in COMPARED:
            assert {fault.field for fault in faults(data)} >= {position}
        else:
            assert [(note.line, note.lines, message in note.message) for note in read(data)[1].summary.notes] == [(2, 1, True)]


@pytest.mark.parametrize("position", sorted(TEXTS_THAT_MUST_BE | MAY_BE_EMPTY))
def test_a_text_has_at_most_128_characters_and_some_have_at_least_one(position):
    assert len(read(content(changed(UTILITY, position, "\u20ac" * 128)))[0]) == 1
    assert [(fault.line, fault.field) for fault in faults(content(changed(UTILITY, position, "x" * 129)))] == [(2, position)]
    empty = content(changed(UTILITY, position, ""))
    if position in MAY_BE_EMPTY:
        assert len(read(empty)[0]) == 1
    else:
        assert [(fault.line, fault.field) for fault in faults(empty)] == [(2, position)]


def test_every_field_that_is_wrong_in_a_line_is_named():
    wrong = changed(changed(changed(UTILITY, 1, "Water"), 9, "246060"), 11, "1.00")
    assert [(fault.line, fault.field, fault.name) for fault in faults(content(AIRTIME, wrong))] == [
        (3, 1, "VAS type"),
        (3, 9, "time"),
        (3, 11, "amount"),
    ]


@pytest.mark.parametrize("amount", ["9" * 15, "-" + "9" * 15, "9" * 16, "--1", "+1", ""])
def test_an_amount_is_at_most_15_digits_behind_a_minus_where_it_is_negative(amount):
    data = content(changed(UTILITY, 11, amount))
    if amount in ("9" * 15, "-" + "9" * 15):
        assert read(data)[1].summary.all == Total(1, int(amount))
    else:
        assert [fault.field for fault in faults(data)] == [11]


def test_a_thousand_blank_lines_behind_the_trailer_are_read_and_no_more():
    data = content(UTILITY) + b"\n" * 1_000
    (note,) = read(data)[1].summary.notes
    assert (note.line, note.lines) == (4, 1_000)
    assert [fault.line for fault in faults(data + b"\n")] == [1_004]


@pytest.mark.parametrize("form", HARMLESS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_form_that_harms_nothing_is_read_and_noted(form, size):
    data, notes = HARMLESS[form]
    lines, file = read(data, size)
    said = [(note.line, note.lines) for note in file.summary.notes]
    assert said == [(line, count) for line, count, _ in notes]
    assert all(words in note.message for note, (_, _, words) in zip(file.summary.notes, notes, strict=True))
    assert compared(lines) in (
        compared(read(content(UTILITY))[0]),
        compared(read(content(UTILITY, AIRTIME))[0]),
        compared(read(content(AIRTIME))[0]),
        compared(read(content(AIRTIME, UTILITY))[0]),
    )


def compared(lines):
    """What settlement compares of lines."""
    return [(line.transaction_id, line.merchant_id, line.status, line.service, line.at, line.cents, line.recipient) for line in lines]


@pytest.mark.parametrize(
    ("data", "field", "text"),
    [
        (content(LETTER).decode().encode("cp1252"), "municipality", "Municipalit\u00e9"),
        (content(UTF_8_BESIDE).replace(b"Airtime R50", b"Airtim\xe9"), "provider", "v\u00f6dacom"),
        (content(UTF_8_BESIDE).replace(b"Airtime R50", b"Airtim\xe9"), "product_name", "Airtim\u00e9"),
        (content(UTILITY).replace(b"SimOperator", b"\x80\x81\x9d"), "provider", "\u20ac\ufffd\ufffd"),
        (content(changed(UTILITY, 13, "Elec\ttricity")), "product_name", "Elec tricity"),
        (content("\ufeff" + UTILITY), "vas_type", "Utility"),
    ],
)
def test_a_text_in_another_form_is_what_was_meant(data, field, text):
    (line,), _ = read(data)
    assert getattr(line, field) == text


def test_a_note_quotes_nothing_of_the_file():
    secret = "4111111111111111"
    data = content(changed(UTILITY, 13, f"{secret}\t"), changed(UTILITY, 3, f"{secret}\u00e9")).decode().encode("cp1252")
    assert secret not in str(read(data)[1].summary.notes)


def test_a_file_to_the_letter_has_no_notes():
    for end in ("\n", "\r\n"):
        assert read(content(UTILITY, AIRTIME, end=end))[1].summary.notes == ()


def test_the_first_ten_faults_are_named():
    broken = faults(content(*[changed(UTILITY, 11, "1.00")] * 30))
    assert [fault.line for fault in broken] == list(range(2, 2 + MAX_FAULTS))


def test_a_refusal_names_the_file():
    for broken in (b"", content(count=7)):
        with pytest.raises(FileRefused) as refused:
            list(SettlementFile([broken], name="mine.txt"))
        assert refused.value.name == "mine.txt"


def test_nothing_is_handed_out_behind_a_fault():
    file = SettlementFile([content(changed(UTILITY, 11, "1.00"), AIRTIME)])
    handed_out = []
    with pytest.raises(FileRefused):
        handed_out.extend(file)
    assert handed_out == []


def test_a_fault_quotes_nothing_of_the_file():
    secret = "4111111111111111"
    lines = [changed(UTILITY, position, f"{secret}\x07") for position in range(24)] + [f"{UTILITY}|{secret}", secret]
    for line in lines:
        with pytest.raises(FileRefused) as refused:
            read(content(line))
        assert secret not in str(refused.value)


def test_a_line_shows_four_digits_and_no_card_number():
    (utility,), _ = read(content(changed(UTILITY, 23, "4111111111111111")))
    assert "12345678901" not in repr(utility)
    assert "*8901" in repr(utility)
    assert "4111111111111111" not in utility


def test_a_line_without_end_is_refused_before_it_is_held():
    fed = 0

    def endless():
        nonlocal fed
        yield b"H|1|20260501\n"
        while True:
            fed += 1024
            yield b"D" * 1024

    with pytest.raises(FileRefused, match="line 2: is longer"):
        list(SettlementFile(endless()))
    assert fed <= MAX_LINE_BYTES + 1024


def test_the_longest_valid_line_is_not_too_long():
    longest = [*"D", "Utility", *["\U0001f4a1" * 128] * 22]
    for position in (4, 6, 8, 9, 11):
        longest[position] = UTILITY.split("|")[position]
    assert len(read(content("|".join(longest)), 1000)[0]) == 1


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt", FileName("ACME", "20260502060000")),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502.txt", FileName("ACME", "20260502")),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502060000123.txt", FileName("ACME", "20260502060000123")),
        ("FULCRUM.MERCHANT.ACME.RECON.2026050.txt", None),
        ("FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt.part", None),
        ("FULCRUM.MERCHANT..RECON.20260502060000.txt", None),
        ("notes.txt", None),
    ],
)
def test_a_file_name_says_whose_it_is(name, parts):
    assert FORMAT.file_name(name) == parts


def test_two_plants_of_the_same_kind_are_the_same_file():
    lines = [
        detail(service=VasType.UTILITY, transaction_id=UTILITY.split("|")[4], merchant_id="", at=datetime(2026, 5, 1, tzinfo=UTC), cents=5)
    ]
    for plant in Plant:
        once, again = (list(planted(lines, {0: plant})) for _ in range(2))
        assert once == again
        assert once != lines or plant is Plant.NO_MERCHANT_ID
        assert read(b"".join(written(DAY, once)))[0] == once


TEXTS = st.text(st.characters(exclude_characters="|", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
LINES = st.builds(
    Line,
    vas_type=st.sampled_from(sorted(FILE_VAS_TYPES)),
    vas_category=TEXTS,
    provider=TEXTS,
    transaction_id=st.uuids().map(str),
    merchant_id=st.one_of(st.just(""), st.uuids().map(str), TEXTS),
    transaction_type=st.sampled_from(["Payment", "Purchase"]),
    status=st.one_of(st.sampled_from(["Successful", "Binned"]), TEXTS),
    date=st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: f"{day:%Y%m%d}"),
    time=st.times().map(lambda time: f"{time:%H%M%S}"),
    amount=st.integers(-(10**12), 10**12).map(str),
    product_name=TEXTS,
    **{
        name: st.one_of(st.just(""), TEXTS)
        for name in Line._fields
        if name
        not in {
            "vas_type",
            "vas_category",
            "provider",
            "transaction_id",
            "merchant_id",
            "transaction_type",
            "status",
            "date",
            "time",
            "amount",
            "product_name",
        }
    },
)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(LINES, max_size=6), end=st.sampled_from(["\n", "\r\n"]), size=st.integers(1, 300), version=st.sampled_from(["1", "1.1"])
)
def test_what_is_written_is_read(lines, end, size, version):
    data = b"".join(written(DAY, lines, line_end=end, version=version, tender_pan="411111******1111"))
    again, file = read(data, size)
    assert (again, file.version) == (lines, version)
    assert file.summary.all == Total(len(lines), sum(line.cents for line in lines))


@pytest.mark.parametrize("form", Form)
@settings(max_examples=30, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"]), size=st.integers(1, 300))
def test_what_is_written_in_a_harmless_form_is_read_with_a_note_and_says_the_same(form, lines, end, size):
    short = [line._replace(provider=line.provider[:40]) for line in lines]
    again, file = read(formed(b"".join(written(DAY, short, line_end=end)), form), size)
    assert compared(again) == compared(short) and file.summary.notes
    assert file.summary.all == Total(len(lines), sum(line.cents for line in lines))


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(LINES, max_size=4), by=st.integers(-3, 3).filter(bool))
def test_a_wrong_count_is_refused(lines, by):
    assert faults(b"".join(written(DAY, lines, miscounted_by=by)))


BREAKS = {
    "cut": lambda pieces, at, other: pieces[:at],
    "left out": lambda pieces, at, other: pieces[:at] + pieces[at + 1 :],
    "doubled": lambda pieces, at, other: [*pieces[:at], pieces[at], *pieces[at:]],
    "swapped": lambda pieces, at, other: [pieces[other if one == at else at if one == other else one] for one in range(len(pieces))],
}


@pytest.mark.parametrize("broken", BREAKS)
@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINES, max_size=5), places=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), size=st.integers(1, 300))
def test_a_file_whose_lines_were_cut_left_out_doubled_or_swapped_is_refused_or_says_the_same(broken, lines, places, size):
    pieces = b"".join(written(DAY, lines)).splitlines(keepends=True)
    at, other = (place % len(pieces) for place in places)
    assert says_the_same(b"".join(BREAKS[broken](pieces, at, other)), lines, size)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=4), end=st.integers(1, 10**6), size=st.integers(1, 300))
def test_a_file_that_was_cut_anywhere_is_refused_or_says_the_same(lines, end, size):
    data = b"".join(written(DAY, lines))
    assert says_the_same(data[: -(end % len(data)) or None], lines, size)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(LINES, min_size=1, max_size=3),
    at=st.integers(0, 10**6),
    put=st.binary(min_size=1, max_size=2) | st.sampled_from([b"", b"|", b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf"]),
    over=st.integers(0, 2),
)
def test_bytes_put_in_or_over_others_are_refused_or_change_one_field_and_move_none(lines, at, put, over):
    data = b"".join(written(DAY, lines))
    at %= len(data)
    try:
        read_back, file = read(data[:at] + put + data[at + over :], 50)
    except FileRefused:
        return
    assert len(read_back) == file.summary.all.rows == len(lines)
    assert file.summary.all.cents == sum(line.cents for line in read_back)
    assert sum(one != was for now, before in zip(read_back, lines, strict=True) for one, was in zip(now, before, strict=True)) <= 1


def says_the_same(data, lines, size):
    """Whether a file is refused, or has exactly these lines, in whatever order."""
    try:
        read_back, file = read(data, size)
    except FileRefused:
        return True
    totals = Total(len(lines), sum(line.cents for line in lines))
    return sorted(read_back) == sorted(lines) and file.summary.all == totals and file.day == DAY


def test_a_line_is_written_as_it_was_read():
    (line,), _ = read(content(UTILITY))
    assert line.text == UTILITY.removesuffix("|")


def test_times_are_written_in_south_african_time():
    near_midnight = datetime(2026, 4, 30, 22, 5, tzinfo=UTC)
    line = detail(service=VasType.AIRTIME, transaction_id="t", merchant_id="m", at=near_midnight, cents=5, recipient="27720012345")
    assert (line.date, line.time) == ("20260501", "000500")
    assert line.at == near_midnight.replace(microsecond=0)
    assert line.at + timedelta(0) == near_midnight
