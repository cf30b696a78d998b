"""A written file is read; a file cut, swapped or changed anywhere is refused, or means the same."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.statement import FileRefused, Total
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import FILE_VAS_TYPES, Line
from shared.mobilemart.settlement_writer import detail, written
from tests.file_forms import Form, formed
from tests.unit.mobilemart.file_lines import DAY, UTILITY, compared, content, faults, read

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
def test_a_written_file_is_read(lines, end, size, version):
    data = b"".join(written(DAY, lines, line_end=end, version=version, tender_pan="411111******1111"))
    again, file = read(data, size)
    assert (again, file.version) == (lines, version)
    assert file.summary.all == Total(len(lines), sum(line.cents for line in lines))


@pytest.mark.parametrize("form", Form)
@settings(max_examples=30, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"]), size=st.integers(1, 300))
def test_a_file_in_a_harmless_form_is_read_with_a_note_and_means_the_same(form, lines, end, size):
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
def test_a_file_with_cut_missing_or_swapped_lines_is_refused_or_means_the_same(broken, lines, places, size):
    pieces = b"".join(written(DAY, lines)).splitlines(keepends=True)
    at, other = (place % len(pieces) for place in places)
    assert says_the_same(b"".join(BREAKS[broken](pieces, at, other)), lines, size)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=4), end=st.integers(1, 10**6), size=st.integers(1, 300))
def test_a_file_cut_anywhere_is_refused_or_means_the_same(lines, end, size):
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
    """Whether a file is refused, or has exactly these lines, in any order."""
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
