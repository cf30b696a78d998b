"""Another form that harms nothing is read with a note, in no field that is compared."""

import pytest

from tests.unit.mobilemart.file_lines import AIRTIME, UTILITY, changed, compared, content, faults, read

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


@pytest.mark.parametrize("position", range(1, 24))
def test_another_form_is_read_in_no_field_that_is_compared_and_in_every_other(position):
    line = changed(UTILITY, position, "here")
    for put, message in ((b"a\tb", "tab"), (b"a\xe9b", "Windows-1252")):
        data = content(line).replace(b"|here", b"|" + put)
        if position in COMPARED:
            assert {fault.field for fault in faults(data)} >= {position}
        else:
            assert [(note.line, note.lines, message in note.message) for note in read(data)[1].summary.notes] == [(2, 1, True)]


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
