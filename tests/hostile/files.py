"""What must hold of every settlement file, whatever stands in it. Judged by a reading that shares nothing with ours."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.mobilemart.settlement_file import MOST_FAULTS, Fault, FileRefused, Line, SettlementFile, Summary
from shared.mobilemart.settlement_writer import line_text, written

_HEADER: Final = re.compile(r"H\|([^|]+)\|([0-9]{8})")
_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file that broke no rule."""

    version: str
    lines: tuple[Line, ...]
    summary: Summary


def reading(data: bytes, size: int = 1 << 20) -> Accepted | tuple[Fault, ...]:
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
        assert 1 <= len(read) <= MOST_FAULTS
        assert not isinstance(whole, Accepted)  # for which fault first depends on what arrived together
        return
    assert read == whole
    version, texts = _plainly_said(data)
    assert version == read.version
    assert [line_text(line) for line in read.lines] == texts
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


def _plainly_said(data: bytes) -> tuple[str, list[str]]:
    """The version and the detail lines without their tender PAN; every rule about the frame is checked on the way."""
    first, *details, last = _split(data.decode().removeprefix(_BYTE_ORDER_MARK))
    header = _HEADER.fullmatch(first)
    assert header
    record, _, count = last.partition("|")
    assert record == "T" and count.isascii() and count.isdecimal() and int(count) == len(details) + 2
    assert all(text.startswith("D|") and text.count("|") == 23 for text in details)
    return header[1], [text.rpartition("|")[0] for text in details]


def _split(text: str) -> Iterable[str]:
    return (line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))
