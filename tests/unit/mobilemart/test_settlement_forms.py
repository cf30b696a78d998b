"""Each form that deviates from a settlement file's format, alone: the text that is read, and the note."""

import pytest

from shared.domain.statement import Note
from shared.mobilemart import settlement_forms as forms
from shared.mobilemart.settlement_forms import (
    COMPARED,
    MARKED,
    PADDED,
    POSITIONS,
    SEPARATED,
    TABBED,
    decoded,
    detail,
    ends_in_cr_alone,
    framed,
    is_blank,
    unmarked,
)

EXACT = {0, 1, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17}  # ids, service, type, status, date, time, cents, recipients; and the record id


def fields(**at):
    """Build a line of so many positions, with these values at some of them."""
    return "|".join(at.get(f"_{position}", "x") for position in range(POSITIONS))


def test_positions_and_the_words_of_notes_are_as_they_are_documented():
    """Golden: notes are part of stored documents."""
    assert (POSITIONS, COMPARED, forms.MAX_BLANK_LINES) == (24, EXACT, 1_000)
    assert (forms.BLANK, PADDED, SEPARATED, MARKED, TABBED, forms.NOT_UTF_8, forms.CR_ALONE) == (
        "holds nothing, and stands behind the trailer",
        "ends in blanks or control characters behind its last field",
        "has a separator behind its last field",
        "begins with a byte order mark",
        "has a tab in a text that is not compared",
        "is not UTF-8, and its texts were read as Windows-1252",
        "ends in CR without LF, as every line of the file",
    )
    assert Note(3, "said").lines == 1


@pytest.mark.parametrize("character", list(" \t\r\x00\x0b\x0c\x1a\xa0\ufeff"))
def test_a_line_behind_the_trailer_is_blank_by_what_fills_files_up(character):
    assert is_blank("") and is_blank(character * 3) and is_blank(f" {character}\r")
    assert not is_blank(f"{character}x{character}")


@pytest.mark.parametrize("character", list("x|T.~\x01\x1b\u200b"))
def test_a_line_that_holds_anything_else_is_not_blank(character):
    assert not is_blank(character)


@pytest.mark.parametrize(
    ("text", "bare", "notes"),
    [
        ("D|x", "D|x", ()),
        ("\ufeffD|x", "D|x", (MARKED,)),
        ("\ufeff\ufeffT|2", "T|2", (MARKED,)),
        ("D|\ufeff", "D|\ufeff", ()),
        ("~D|x", "~D|x", ()),
    ],
)
def test_byte_order_marks_before_a_line_are_left_out_and_noted(text, bare, notes):
    assert unmarked(text) == (bare, notes)


@pytest.mark.parametrize(
    ("behind", "notes"),
    [
        ("", ()),
        ("\r", ()),
        ("|", (SEPARATED,)),
        ("|\r", (SEPARATED,)),
        ("|||", (SEPARATED,)),
        (" ", (PADDED,)),
        ("\t\r", (PADDED,)),
        ("\r\r", (PADDED,)),
        ("| ", (SEPARATED, PADDED)),
        (" | |\r", (SEPARATED, PADDED)),
    ],
)
@pytest.mark.parametrize("ends_the_file", [True, False])
def test_padding_behind_the_header_or_the_trailer_is_left_out_and_noted(behind, notes, ends_the_file):
    assert framed(f"T|2{behind}", ends_the_file=ends_the_file) == ("T|2", notes)


@pytest.mark.parametrize("ends_the_file", [True, False])
def test_a_character_behind_the_header_or_the_trailer_stays(ends_the_file):
    for text in ("H|1~", "H|1~|", "H|1.| "):
        assert framed(text, ends_the_file=ends_the_file)[0] == text.rstrip("| ")


@pytest.mark.parametrize("character", list("\x00\x0b\x0c\x1a\xa0\ufeff"))
def test_only_what_ends_the_file_may_be_filled_up_with_control_characters(character):
    assert framed(f"T|2{character}", ends_the_file=True) == ("T|2", (PADDED,))
    assert framed(f"T|2|{character}", ends_the_file=True) == ("T|2", (SEPARATED, PADDED))
    assert framed(f"H|2{character}", ends_the_file=False) == (f"H|2{character}", ())


@pytest.mark.parametrize(
    ("behind", "stays", "notes"),
    [
        ("", "", ()),
        ("\r", "", ()),
        (" ", "", (PADDED,)),
        ("\r\r", "", (PADDED,)),
        (" \t\r", "", (PADDED,)),
        ("|", "|", ()),
        ("| ", "|", (PADDED,)),
        ("\x00", "\x00", ()),
        ("~", "~", ()),
        (".", ".", ()),
    ],
)
def test_blanks_behind_a_line_are_left_out_and_noted_and_a_separator_stays(behind, stays, notes):
    assert detail(f"{fields()}{behind}") == (f"{fields()}{stays}", notes)


@pytest.mark.parametrize("position", range(POSITIONS - 1))
def test_a_tab_becomes_a_blank_in_a_text_that_is_not_compared_and_stays_elsewhere(position):
    line, plain = (fields(**{f"_{position}": text}) for text in ("a\tb\tc", "a b c"))
    assert detail(line) == ((line, ()) if position in EXACT else (plain, (TABBED,)))
    assert detail(f"{line} ") == ((line, (PADDED,)) if position in EXACT else (plain, (PADDED, TABBED)))


@pytest.mark.parametrize("position", range(POSITIONS))
def test_a_byte_of_no_utf_8_letter_in_a_compared_field_is_reported_with_its_position(position):
    line = fields(**{f"_{position}": "\u20ac\udce9"}).encode("utf-8", "surrogateescape")
    whole = fields(_2="\u20ac", _7="\u00fc").encode()
    text = fields(**{f"_{position}": "\u20ac\u00e9"})
    strictly = (position,) if position in EXACT else ()
    assert decoded(b"\n".join((b"", whole, line, whole, b"plain"))) == (
        f"\n{whole.decode()}\n{text}\n{whole.decode()}\nplain",
        [(2, strictly)],
    )


def test_every_compared_position_with_such_a_byte_is_reported_in_order():
    line = fields(_17="\udcff", _7="\udce9", _16="\u00fc", _5="a\udc80b", _3="\udce9").encode("utf-8", "surrogateescape")
    assert decoded(line)[1] == [(0, (5, 7, 17))]
    assert decoded(fields(_3="\udce9", _7="\u00fc").encode("utf-8", "surrogateescape"))[1] == [(0, ())]


@pytest.mark.parametrize("line", [b"H|\xe9", b"\xe9", b"|".join([b"\xe9"] * 23), b"|".join([b"\xe9"] * 25)])
def test_a_line_of_other_positions_may_hold_no_such_byte_at_all(line):
    assert decoded(b"x\n" + line)[1] == [(1, (0,))]


def test_every_byte_of_no_utf_8_letter_is_read_as_windows_1252_or_replaced():
    for byte in range(0x80, 0x100):
        try:
            letter = bytes([byte]).decode("cp1252")
        except UnicodeDecodeError:
            letter = "\ufffd"
        assert decoded(bytes([0x41, byte, 0x42]))[0] == f"A{letter}B"


@pytest.mark.parametrize(
    ("begun", "ends"),
    [
        (b"", None),
        (b"H|1", None),
        (b"H|1\r", None),
        (b"H|1\r\r", None),
        (b"H|1\n", False),
        (b"H|1\r\n", False),
        (b"H|1\r\r\n", False),
        (b"H|1\rD", True),
        (b"H|1\r\rD", True),
        (b"H|1\rD\n", True),
        (b"H|1\nD\rD", False),
    ],
)
def test_the_first_line_and_its_next_byte_show_whether_lines_end_in_cr_alone(begun, ends):
    assert ends_in_cr_alone(begun) is ends
