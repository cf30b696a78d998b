"""What must hold of every settlement file, whatever stands in it. Judged by a reading that shares nothing with ours."""

import re
from dataclasses import dataclass
from typing import Final

from shared.domain.statement import FileFault, FileRefused, Summary
from shared.mobilemart.settlement_file import MAX_FAULTS, Line, SettlementFile
from shared.mobilemart.settlement_writer import written

_HEADER: Final = re.compile(r"H\|([^|]+)\|([0-9]{8})")
_BYTE_ORDER_MARK: Final = "\ufeff"
_NOTHING: Final = " \t\r\x00\x0b\x0c\x1a\xa0\ufeff"
_BEHIND: Final = f"{_NOTHING}|"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file that broke no rule."""

    version: str
    lines: tuple[Line, ...]
    summary: Summary


def reading(data: bytes, size: int = 1 << 20) -> Accepted | tuple[FileFault, ...]:
    """The file as it is read from chunks of that size, or why it is refused."""
    try:
        file = SettlementFile(data[at : at + size] for at in range(0, len(data), size))
        lines = tuple(file)
        return Accepted(file.version, lines, file.summary)
    except FileRefused as refused:
        return refused.faults


def keep(data: bytes, size: int) -> None:
    """Read a file in chunks of that size.

    Raises:
        AssertionError: a promise is broken. Anything else that is raised breaks one, too.
    """
    read, whole = reading(data, size), reading(data)
    if not isinstance(read, Accepted):
        assert 1 <= len(read) <= MAX_FAULTS
        assert not isinstance(whole, Accepted)  # for which fault first depends on what arrived together
        return
    assert read == whole
    version, texts = _plainly_said(data)
    assert version == read.version
    assert [_compared(line.text) for line in read.lines] == [_compared(text) for text in texts]
    if not read.summary.notes:
        assert [line.text for line in read.lines] == texts
    assert read.summary.all.rows == len(texts)
    assert read.summary.all.cents == sum(int(text.split("|")[11]) for text in texts)
    billed = [line for line in read.lines if line.status == "Successful"]
    assert sum(total.cents for total in read.summary.successful.values()) == sum(line.cents for line in billed)
    assert sum(total.rows for total in read.summary.successful.values()) == len(billed)
    for line in read.lines:
        assert line.at.tzinfo is not None and line.service and line.recipient in line
    again = reading(_written(data, read), size)
    assert isinstance(again, Accepted) and (again.version, again.lines) == (read.version, read.lines)


def _written(data: bytes, read: Accepted) -> bytes:
    return b"".join(written(SettlementFile([data]).day, read.lines, version=read.version))


def _compared(text: str) -> list[str]:
    """What settlement compares of a detail line."""
    fields = text.split("|")
    return [fields[at] for at in (1, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17)]


def _plainly_said(data: bytes) -> tuple[str, list[str]]:
    """The version and the detail lines without their tender PAN; every rule about the frame is checked on the way."""
    first, *details, last = _split(data)
    header = _HEADER.fullmatch(first.rstrip(_BEHIND))
    assert header
    record, _, count = last.rstrip(_BEHIND).partition("|")
    assert record == "T" and count.isascii() and count.isdecimal() and int(count) == len(details) + 2
    assert all(text.startswith("D|") and text.count("|") == 23 for text in details)
    return header[1], [text.rpartition("|")[0] for text in details]


def _split(data: bytes) -> list[str]:
    """The lines, of which none behind the last one says anything, without the marks before them."""
    if re.match(rb"[^\r\n]*\r+[^\r\n]", data):
        data = data.replace(b"\r", b"\n")
    texts = [_text(line).lstrip(_BYTE_ORDER_MARK).removesuffix("\r") for line in data.split(b"\n")]
    while not texts[-1].strip(_NOTHING):
        texts.pop()
    return texts


def _text(line: bytes) -> str:
    """A line as UTF-8; what is none is some other letter, and nothing that is compared."""
    text = line.decode("utf-8", "replace")
    assert "\ufffd" in line.decode("utf-8", "ignore") or "\ufffd" not in "".join(_compared(text) if text.count("|") == 23 else text)
    return text
