"""A settlement file read whole: each fault at its place, in any pieces of the bytes, and the totals of a file."""

import hashlib
from datetime import UTC, date, datetime

import pytest

from shared.domain.statement import FileFault, FileName, FileRefused, Note, Summary, Total
from shared.domain.vas import VasType
from shared.mobilemart import settlement_file
from shared.mobilemart import settlement_forms as forms
from shared.mobilemart.settlement_file import MAX_LINE_BYTES, PIECE_BYTES, Line, SettlementFile
from shared.mobilemart.settlement_format import FORMAT

UTILITY = (
    "D|Utility|Services|SimOperator|6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10|3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f|Purchase|Successful"
    "|20260501|101530|Credit Card|10000||Electricity||||12345678901|KWH|29.7|Sim Municipality|False||"
)
HEAD = "H|1|20260501"


def changed(position, value, line=UTILITY):
    fields = line.split("|")
    fields[position] = value
    return "|".join(fields)


def content(*details, head=HEAD, end="\n"):
    return "".join(f"{line}{end}" for line in [head, *details, f"T|{len(details) + 2}"]).encode()


def read(*chunks):
    file = SettlementFile(chunks, "name.txt")
    return list(file), file


def summary(*chunks):
    return read(*chunks)[1].summary


def refused(*chunks):
    with pytest.raises(FileRefused) as error:
        read(*chunks)
    assert error.value.name == "name.txt" and str(error.value) == "; ".join(map(str, error.value.faults))
    return list(error.value.faults)


TEXT, OPTIONAL = "1 to 128 characters, none of them a control character", "at most 128 characters, none of them a control character"
RULES = (
    ("VAS type", "one of Airtime, Data, Voucher, Bill Payment, Utility"),
    ("VAS category", TEXT),
    ("provider", TEXT),
    ("Fulcrum transaction id", "a GUID"),
    ("merchant transaction id", OPTIONAL),
    ("transaction type", "Payment or Purchase"),
    ("transaction status", TEXT),
    ("date", "a day as CCYYMMDD"),
    ("time", "a time as HHMMSS"),
    ("tender type", OPTIONAL),
    ("amount", "whole cents: at most 15 digits, behind a minus where negative"),
    ("barcode", OPTIONAL),
    ("product name", TEXT),
    ("serial number", OPTIONAL),
    ("MSISDN", OPTIONAL),
    ("account number", OPTIONAL),
    ("meter number", OPTIONAL),
    ("unit type", OPTIONAL),
    ("units", OPTIONAL),
    ("municipality", OPTIONAL),
    ("free basic electricity", OPTIONAL),
    ("FBE units", OPTIONAL),
    ("tender PAN", OPTIONAL),
)
NOT_A_LINE = "is no detail line, which begins with D"


@pytest.mark.parametrize("position", range(1, 24))
def test_each_field_says_its_rule_where_it_breaks_it(position):
    name, rule = RULES[position - 1]
    fault = FileFault(3, f"must be {rule}", position, name)
    for character in "\x00\x1f\x7f":
        assert refused(content(UTILITY, changed(position, f"a{character}b"))) == [fault]
    assert str(fault) == f"line 3, field {position} ({name}): must be {rule}"


@pytest.mark.parametrize("position", range(1, 24))
def test_a_byte_of_no_utf_8_letter_in_what_is_compared_is_refused_by_name(position):
    compared = {1, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17}
    data = content(UTILITY, UTILITY, changed(position, "a#b")).replace(b"#", b"\xe9")
    if position in compared:
        assert refused(data)[0] == FileFault(4, "is not UTF-8", position, RULES[position - 1][0])
    else:
        assert summary(data).notes == (Note(4, forms.NOT_UTF_8),)


def test_a_byte_of_no_utf_8_letter_in_a_line_of_no_fields_is_refused_without_one():
    fault, other = refused(content(UTILITY, "nothing#").replace(b"#", b"\xe9"))
    assert (fault, other) == (FileFault(3, "is not UTF-8"), FileFault(3, NOT_A_LINE))
    assert (str(fault), fault.field, fault.name) == ("line 3: is not UTF-8", None, None)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        *((1, value) for value in ("Airtime", "Data", "Voucher", "Bill Payment", "Utility")),
        (4, "ABCDEF01-2345-6789-abcd-ef0123456789"),
        *((6, value) for value in ("Payment", "Purchase")),
        *((8, value) for value in ("20000101", "20240229", "29991231")),
        *((9, value) for value in ("000000", "195959", "205959", "235959")),
        *((11, value) for value in ("0", "-1", "9" * 15, "-" + "9" * 15)),
    ],
)
def test_every_value_that_a_field_may_have_is_read(position, value):
    (line,), file = read(content(changed(position, value)))
    assert line[position - 1] == value and file.summary.all.rows == 1


@pytest.mark.parametrize(
    ("position", "value"),
    [
        *((1, value) for value in ("", "utility", "Utilit", "Utilityy", "Airtime|Data")),
        *(
            (4, value)
            for value in (
                "",
                "6b0f6a520d1c4c3c9a531f2f4f1f9a10",
                "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a100",
                "6b0f6a5-0d1c-4c3c-9a53-1f2f4f1f9a10",
            )
        ),
        *((4, f"6b0f6a52-{middle}-1f2f4f1f9a10") for middle in ("0d1-4c3c-9a53", "0d1c-4c3-9a53", "0d1c-4c3c-9a5", "0d1cc-4c3c-9a53")),
        *((8, value) for value in ("19991231", "20260001", "20261301", "20260431", "20260500", "20250229", "202605011")),
        *((9, value) for value in ("240000", "300000", "236000", "235960", "2359", "23595900")),
        *((11, value) for value in ("", "-", "1.0", "9" * 16, "-" + "9" * 16, "1-")),
    ],
)
def test_a_value_that_a_field_may_not_have_refuses_the_file(position, value):
    assert {fault.line for fault in refused(content(changed(position, value)))} == {2}


# The place of a fault


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b"", [FileFault(1, "must be the header H|version|CCYYMMDD")]),
        (content(head="H||20260501"), [FileFault(1, "must be the header H|version|CCYYMMDD")]),
        (content(head=f"H|{'1' * 17}|20260501"), [FileFault(1, "must be the header H|version|CCYYMMDD")]),
        (content(head="H|1|19991231"), [FileFault(1, "must be the header H|version|CCYYMMDD")]),
        (content(head="H|1|20261301"), [FileFault(1, "must be the header H|version|CCYYMMDD")]),
        (HEAD.encode(), [FileFault(2, "the trailer T|count is missing")]),
        (f"{HEAD}\r".encode(), [FileFault(2, "the trailer T|count is missing")]),
        (f"{HEAD}\n".encode(), [FileFault(2, "the trailer T|count is missing")]),
        (f"{HEAD}\n{UTILITY}\n{UTILITY}\n".encode(), [FileFault(4, "the trailer T|count is missing")]),
        (f"{HEAD}\n{UTILITY}\nT|4\n".encode(), [FileFault(3, "the trailer counts 4 lines, but is line 3")]),
        (f"{HEAD}\nT|2\nT|2\n".encode(), [FileFault(3, NOT_A_LINE), FileFault(3, "stands behind the trailer")]),
        (
            f"{HEAD}\nT|3\n{UTILITY}\n".encode(),
            [FileFault(3, "stands behind the trailer"), FileFault(2, "the trailer counts 3 lines, but is line 2")],
        ),
        (f"{HEAD}\nT|2\n\n{UTILITY}\n\n".encode(), [FileFault(3, "stands behind the trailer")]),
        (f"{HEAD}\nT|{2:013d}\n".encode(), [FileFault(2, NOT_A_LINE), FileFault(3, "the trailer T|count is missing")]),
        (f"{HEAD}\nT|\n".encode(), [FileFault(2, NOT_A_LINE), FileFault(3, "the trailer T|count is missing")]),
        (f"{HEAD}\n{UTILITY}\n\nT|4\n".encode(), [FileFault(3, NOT_A_LINE)]),
        (f"{HEAD}\n{UTILITY}|\nT|3\n".encode(), [FileFault(2, "has 25 positions, not 24")]),
        (f"{HEAD}\n{UTILITY[:-1]}\nT|3\n".encode(), [FileFault(2, "has 23 positions, not 24")]),
    ],
)
def test_each_fault_is_reported_with_its_line(data, faults):
    assert refused(data) == faults
    assert refused(*(data[at : at + 7] for at in range(0, len(data), 7))) == faults


@pytest.mark.parametrize("version", ["1", "1" * 16, "1.1", "a b"])
def test_a_header_says_the_version_and_the_day(version):
    _, file = read(content(head=f"H|{version}|20240229"))
    assert (file.version, file.day, file.name) == (version, date(2024, 2, 29), "name.txt")
    assert read(f"{HEAD}\nT|{2:012d}\n".encode())[0] == []


WRONG = changed(11, "1.00")
AMOUNT = ("must be whole cents: at most 15 digits, behind a minus where negative", 11, "amount")


@pytest.mark.parametrize("wrong", [1, 9, 10, 11, 30])
def test_at_most_ten_faults_are_reported_verdicts_included(wrong):
    found = refused("\n".join([HEAD, *[WRONG] * wrong, "T|9"]).encode())
    counted = [FileFault(wrong + 2, f"the trailer counts 9 lines, but is line {wrong + 2}")]
    assert found == ([FileFault(2 + at, *AMOUNT) for at in range(wrong)] + counted)[:10]


def test_a_line_with_more_than_ten_faults_reports_the_first_ten():
    every = "|".join(["D", *["\x07"] * 23])
    assert refused(content(every)) == [FileFault(2, f"must be {RULES[at - 1][1]}", at, RULES[at - 1][0]) for at in range(1, 11)]
    found = refused(content(WRONG, every))
    assert [(fault.line, fault.field) for fault in found] == [(2, 11), *((3, at) for at in range(1, 10))]


def test_the_tenth_fault_ends_the_reading():
    read_on = []

    def chunks():
        yield "\n".join([HEAD, *[WRONG] * 10, ""]).encode()
        read_on.append(True)
        yield b"T|12\n"

    assert len(refused(*chunks())) == 10
    file = SettlementFile(chunks())
    read_on.clear()
    with pytest.raises(FileRefused):
        list(file)
    assert read_on == []


@pytest.mark.parametrize("size", [1, 50, 400, 10_000])
def test_lines_are_numbered_across_any_pieces(monkeypatch, size):
    monkeypatch.setattr(settlement_file, "PIECE_BYTES", size)
    no_day = changed(8, "20260230")
    data = f"{HEAD}\n{UTILITY}\n{WRONG}\n{UTILITY}\n{no_day}\n{UTILITY}\nnothing\n{no_day}\nT|9\n".encode()
    day = ("must be a day as CCYYMMDD", 8, "date")
    found = refused(data)
    assert sorted(found, key=lambda fault: fault.line) == [
        FileFault(3, *AMOUNT),
        FileFault(5, *day),
        FileFault(7, NOT_A_LINE),
        FileFault(8, *day),
    ]
    noted = content(UTILITY, f"{UTILITY}\t", UTILITY, changed(13, "a\tb"), f"{UTILITY}\t", changed(3, "#")).replace(b"#", b"\xe9")
    assert summary(noted + b"\n\n\n").notes == (
        Note(3, forms.PADDED, 2),
        Note(5, forms.TABBED),
        Note(7, forms.NOT_UTF_8),
        Note(9, forms.BLANK, 3),
    )


def test_behind_a_fault_nothing_is_handed_out_and_what_came_before_it_was(monkeypatch):
    monkeypatch.setattr(settlement_file, "PIECE_BYTES", 1)
    file = SettlementFile([content(UTILITY, UTILITY, WRONG, UTILITY)])
    lines = iter(file)
    assert next(lines) == next(lines) == read(content(UTILITY))[0][0]
    with pytest.raises(FileRefused):
        next(lines)
    with pytest.raises(ValueError, match="has not been read to its end"):
        file.summary  # noqa: B018


def test_a_line_end_is_no_fault_of_the_last_field():
    assert refused(content(WRONG, end="\r\n")) == [FileFault(2, *AMOUNT)]
    assert refused(content("nothing", end="\r\n")) == [FileFault(2, NOT_A_LINE)]


def test_a_line_to_the_letter_is_not_noted_beside_one_that_has_another_form():
    """The last field may hold a blank only."""
    lines, file = read(content(f"{UTILITY} ", f"{UTILITY}\t", UTILITY))
    assert len(lines) == 3 and file.summary.notes == (Note(3, forms.PADDED),)
    assert SettlementFile([content()]).name == ""


# Bytes


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_line_may_be_as_long_as_it_may_be_and_no_byte_longer(over, end):
    found = refused(f"{HEAD}\n{WRONG}\n".encode(), f"{UTILITY}\n{'x' * (MAX_LINE_BYTES + over)}".encode(), end.encode())
    too_long = [FileFault(4, f"is longer than {MAX_LINE_BYTES} bytes")]
    other = [FileFault(4, NOT_A_LINE), FileFault(5, "the trailer T|count is missing")]
    assert found == [FileFault(2, *AMOUNT), *(too_long if over else other)]


def test_bounds_are_as_they_are_documented():
    assert (PIECE_BYTES, MAX_LINE_BYTES, settlement_file.MAX_FAULTS) == (131_072, 16_384, 10)


@pytest.mark.parametrize("length", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_a_first_line_whose_end_is_not_to_be_seen_is_read_as_if_it_ended_in_lf(length):
    """Up to the bound the line end may still come; beyond the bound the reader does not wait."""
    found = refused(b"H" * length, b"\rD|x\n")
    assert found[0].line == 1 and ("longer" in found[0].message) is (length > MAX_LINE_BYTES)


def test_the_end_of_a_first_line_is_waited_for_as_long_as_a_line_may_be():
    first = f"{HEAD}{' ' * (MAX_LINE_BYTES - len(HEAD))}".encode()
    said = summary(first, b"\r" + content(UTILITY, end="\r").partition(b"\r")[2])
    assert said.notes == (Note(1, forms.CR_ALONE), Note(1, forms.PADDED)) and said.all == Total(1, 10_000)
    assert refused(first + b" ", b"\rT|2\r") == [FileFault(1, f"is longer than {MAX_LINE_BYTES} bytes")]


@pytest.mark.parametrize("lines", [1, 200])
def test_a_file_whose_lines_end_in_cr_alone_may_come_at_once_however_large(lines):
    said = summary(content(*[UTILITY] * lines, end="\r"))
    assert (said.all.rows, said.notes) == (lines, (Note(1, forms.CR_ALONE),))


@pytest.mark.parametrize("size", [1, 2, 5, 13, 14, 100, 10_000])
def test_after_a_first_line_with_cr_alone_every_cr_ends_a_line_and_the_hash_is_raw(size):
    data = content(UTILITY, UTILITY, end="\r")
    said = summary(*(data[at : at + size] for at in range(0, len(data), size)))
    assert said.notes == (Note(1, forms.CR_ALONE),) and said.all == Total(2, 20_000)
    assert said.sha256 == hashlib.sha256(data).hexdigest()


def test_a_cr_behind_a_first_line_that_ends_in_lf_is_no_line_end():
    assert refused(content(UTILITY).replace(b"|101530", b"\r|101530"))[0].field == 8
    assert refused(content(UTILITY), b"\rD\n")[0] == FileFault(4, NOT_A_LINE)


@pytest.mark.parametrize("marks", [0, 1, 2])
def test_byte_order_marks_before_the_header_say_nothing(marks):
    assert summary(b"\xef\xbb\xbf" * marks + content(UTILITY)).notes == ()


def test_forms_of_the_header_and_the_trailer_are_noted_on_their_lines():
    data = content(UTILITY, head=f"{HEAD}| ").replace(b"T|3", "\ufeffT|3|\x1a".encode())
    assert summary(data).notes == (Note(1, forms.SEPARATED, 2), Note(1, forms.PADDED, 2), Note(3, forms.MARKED))
    assert refused(content(UTILITY, head=f"{HEAD}\x1a"))[0].line == 1


# The totals of a file


def test_a_summary_is_over_all_lines_and_for_each_service_over_those_that_are_billed():
    services = {"Airtime": VasType.AIRTIME, "Data": VasType.DATA, "Voucher": VasType.VOUCHER, "Bill Payment": VasType.BILL_PAYMENT}
    services["Utility"] = VasType.UTILITY
    lines = [changed(1, text, changed(11, str(at + 1))) for at, text in enumerate(services)]
    lines += [changed(11, "-7"), changed(7, "Binned"), changed(7, "Pending"), changed(7, "successful")]
    said = summary(data := content(*lines))
    assert said == Summary(
        "name.txt",
        hashlib.sha256(data).hexdigest(),
        Total(9, 15 - 7 + 30_000),
        {service: Total(1, at + 1) for at, service in enumerate(services.values())} | {VasType.UTILITY: Total(2, 5 - 7)},
    )
    assert dict(summary(content()).successful) == dict.fromkeys(services.values(), Total())
    with pytest.raises(TypeError):
        said.successful[VasType.UTILITY] = Total()


def test_totals_add_and_subtract_rows_and_cents():
    assert Total(5, 70) + Total(2, -9) == Total(7, 61) and Total(5, 70) - Total(2, -9) == Total(3, 79)
    assert Total() == Total(0, 0)


@pytest.mark.parametrize(
    ("service", "recipient"),
    [
        ("Airtime", "27720012345"),
        ("Data", "27720012345"),
        ("Voucher", "27720012345"),
        ("Bill Payment", "5550199"),
        ("Utility", "12345678901"),
    ],
)
def test_a_lines_recipient_follows_its_service_and_shows_four_digits(service, recipient):
    line = changed(1, service, changed(15, "27720012345", changed(16, "5550199")))
    ((read_line,), _) = read(content(line))
    assert read_line.recipient == recipient
    ids = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10, 3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
    assert repr(read_line) == f"Line({service}, {ids}, Successful, 10000, to=*{recipient[-4:]})"
    nobody = read_line._replace(msisdn="", account_number="", meter_number="")
    assert repr(nobody) == f"Line({service}, {ids}, Successful, 10000, to=None)"


def test_a_line_has_its_fields_in_the_files_order_and_the_moment_in_utc():
    every = "|".join(["D", "Data", "c", "p", UTILITY.split("|")[4], "m", "Payment", "s", "20260501", "003005", *"tabcdefghijkl", "PAN"])
    every = changed(11, "7", every)
    ((line,), _) = read(content(every))
    assert line == Line(*every.split("|")[1:-1]) and line.at == datetime(2026, 4, 30, 22, 30, 5, tzinfo=UTC)
    assert (line.amount, line.cents, line.tender_type, line.free_basic_units) == ("7", 7, "t", "l")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FULCRUM.MERCHANT.A.B.RECON.12345678.txt", FileName("A.B", "12345678")),
        ("FULCRUM.MERCHANT.A.RECON.12345678901234567.txt", FileName("A", "12345678901234567")),
        ("FULCRUM.MERCHANT.A.RECON.123456789012345678.txt", None),
        ("FULCRUM.MERCHANT.A.RECON.1234567.txt", None),
        ("FULCRUM.MERCHANT.A.RECON.1234567\u0661.txt", None),
        ("FULCRUM.MERCHANT.A\u200b.RECON.12345678.txt", None),
        ("FULCRUM.MERCHANT.\u00c9.RECON.12345678.txt", FileName("\u00c9", "12345678")),
        ("FULCRUM.MERCHANT.A.RECON.12345678.txt\n", None),
        ("xFULCRUM.MERCHANT.A.RECON.12345678.txt", None),
        ("FULCRUM.MERCHANT.A.RECON.12345678xtxt", None),
        ("FULCRUMxMERCHANT.A.RECON.12345678.txt", None),
    ],
)
def test_a_name_says_whose_a_file_is_and_of_what_time(name, said):
    assert FORMAT.file_name(name) == said
