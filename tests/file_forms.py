"""Forms of a settlement file beside the letter of its format, which change nothing of what it says."""

from enum import StrEnum
from typing import assert_never


class Form(StrEnum):
    """How a file may be written beside the letter of its format without harm."""

    BLANK_LINES = "blank_lines"  # behind the trailer
    CTRL_Z = "ctrl_z"  # likewise
    NULS = "nuls"  # likewise, on the trailer's own line
    SEPARATORS = "separators"  # behind the header's and the trailer's last field
    WINDOWS_1252 = "windows_1252"  # a letter in each line's provider
    UNDEFINED_BYTE = "undefined_byte"  # one there that Windows-1252 has no letter for
    TABS = "tabs"  # behind each line's last field
    BYTE_ORDER_MARKS = "byte_order_marks"  # before each line
    CR_ALONE = "cr_alone"  # at the end of each line


def formed(content: bytes, form: Form) -> bytes:
    """A file that was written by the letter, in another form. It says the same but for the provider's name."""
    first, *details, last = content.splitlines()
    match form:
        case Form.BLANK_LINES:
            return content + b"\n  \r\n"
        case Form.CTRL_Z:
            return content + b"\x1a"
        case Form.NULS:
            return content.rstrip(b"\r\n") + bytes(100)
        case Form.SEPARATORS:
            return b"\n".join((first + b"|", *details, last + b"||")) + b"\n"
        case Form.WINDOWS_1252 | Form.UNDEFINED_BYTE:
            letter = b"\xe9" if form is Form.WINDOWS_1252 else b"\x81"
            parts = (line.split(b"|") for line in details)
            return b"\n".join((first, *(b"|".join((*part[:3], part[3] + letter, *part[4:])) for part in parts), last))
        case Form.TABS:
            return b"\t\n".join((first, *details, last))
        case Form.BYTE_ORDER_MARKS:
            return b"".join(b"\xef\xbb\xbf" + line + b"\n" for line in (first, *details, last))
        case Form.CR_ALONE:
            return b"".join(line + b"\r" for line in (first, *details, last))
        case _:
            assert_never(form)
