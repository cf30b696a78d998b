"""The supplier's settlement file: each field's rule, and each fault by its line."""

from datetime import UTC, datetime

import pytest

from shared.domain.statement import FileName, FileRefused, Total
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import MAX_FAULTS, MAX_LINE_BYTES, SettlementFile
from shared.mobilemart.settlement_format import FORMAT
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from tests.unit.mobilemart.file_lines import AIRTIME, DAY, UTILITY, changed, content, faults, read


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


def test_a_last_line_needs_no_line_end_and_a_byte_order_mark_is_ignored():
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


TEXTS_THAT_MUST_BE = {2, 3, 7, 13}
MAY_BE_EMPTY = {5, 10, 12, *range(14, 24)}


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
