"""Forms that deviate from a settlement file's format and harm nothing. Pure.

The reader accepts and notes each of them, so that blanks do not cost a day. Each form is unambiguous and moves no
field.
No form changes a field that settlement compares: ids, service, type, status, date, time, cents, recipient.
`docs/settlement.md` lists the forms.
"""

import re
from typing import Final

BLANK: Final = "holds nothing, and stands behind the trailer"
PADDED: Final = "ends in blanks or control characters behind its last field"
SEPARATED: Final = "has a separator behind its last field"
MARKED: Final = "begins with a byte order mark"
TABBED: Final = "has a tab in a text that is not compared"
NOT_UTF_8: Final = "is not UTF-8, and its texts were read as Windows-1252"
CR_ALONE: Final = "ends in CR without LF, as every line of the file"

MAX_BLANK_LINES: Final = 1_000  # behind a trailer: each takes as much time as a sale's line

POSITIONS: Final = 24
COMPARED: Final = frozenset({0, 1, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17})  # positions of a detail line; the record id is 0

BYTE_ORDER_MARK: Final = "\ufeff"
_BEHIND_A_LINE: Final = " \t\r"
_BEHIND_THE_TRAILER: Final = f"{_BEHIND_A_LINE}\x00\x0b\x0c\x1a\xa0{BYTE_ORDER_MARK}"  # CP/M ended a text with 0x1A, and padded its block
_ASCII: Final = bytes(range(128))
_ESCAPED: Final = re.compile("[\udc80-\udcff]")  # bytes of no UTF-8 letter, as Python's `surrogateescape` writes them
_FIRST_END: Final = re.compile(rb"\n|\r+(?=[^\r\n])")

# Five bytes have no letter in Windows-1252: they become U+FFFD.
_WINDOWS_1252: Final = bytes(range(256)).decode("cp1252", "replace")


def is_blank(text: str) -> bool:
    """Whether a line behind the trailer is blank."""
    return not text.strip(_BEHIND_THE_TRAILER)


def unmarked(text: str) -> tuple[str, tuple[str, ...]]:
    """Remove byte order marks before a line, which programs leave that join files. Also return the notes."""
    bare = text.lstrip(BYTE_ORDER_MARK)
    return bare, () if bare == text else (MARKED,)


def framed(text: str, *, ends_the_file: bool) -> tuple[str, tuple[str, ...]]:
    """Remove padding behind the last field of the header or trailer. Also return the notes.

    Programs that write tables pad each row with separators.
    """
    padding = _BEHIND_THE_TRAILER if ends_the_file else _BEHIND_A_LINE
    bare = text.rstrip(f"{padding}|")
    behind = text[len(bare) :].removesuffix("\r")
    return bare, tuple(note for note, found in ((SEPARATED, "|" in behind), (PADDED, bool(behind.strip("|")))) if found)


def detail(text: str) -> tuple[str, tuple[str, ...]]:
    """Remove blanks behind a detail line's last field, and tabs in texts. Also return the notes.

    A separator behind the last field stays. A separator inside a text moves every field behind it, and both lines look alike.
    """
    bare = text.rstrip(_BEHIND_A_LINE)
    notes = (PADDED,) if bare != text.removesuffix("\r") else ()
    if "\t" not in bare:
        return bare, notes
    fields = bare.split("|")
    plain = "|".join(field if at in COMPARED else field.replace("\t", " ") for at, field in enumerate(fields))
    return plain, (*notes, *((TABBED,) if plain != bare else ()))


def decoded(piece: bytes) -> tuple[str, list[tuple[int, tuple[int, ...]]]]:
    """Decode whole lines that are not all UTF-8. Every byte of no UTF-8 letter is read as Windows-1252.

    Also return each line with such a byte, counted from 0, with the positions that may not be read so.
    These are the compared positions, and 0 in a line without the positions of a detail line.
    No step is taken for each letter: a file may be full of them.
    """
    text = piece.decode("utf-8", "surrogateescape")
    lines = [(at, _read_strictly(line)) for at, line in enumerate(text.split("\n")) if not line.isascii() and _ESCAPED.search(line)]
    for byte in set(piece.translate(None, _ASCII)):
        text = text.replace(chr(0xDC00 + byte), _WINDOWS_1252[byte])
    return text, lines


def _read_strictly(line: str) -> tuple[int, ...]:
    fields = line.split("|")
    if len(fields) != POSITIONS:
        return (0,)
    if "".join([fields[at] for at in COMPARED]).isascii():
        return ()
    return tuple(at for at in sorted(COMPARED) if _ESCAPED.search(fields[at]))


def ends_in_cr_alone(begun: bytes) -> bool | None:
    """Whether the first line of a file ends in CR alone; `None` if these first bytes do not show it yet."""
    end = _FIRST_END.search(begun)
    return None if end is None else end[0] != b"\n"
