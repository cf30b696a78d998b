"""A log of purchases, on disk before each request leaves: no purchase made here is ever lost."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_FOR_US_ALONE: Final = 0o600


class PurchaseLog:
    """A file of JSON lines that only grows. Only its owner can read it. It never holds a token, a PIN or a whole number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **fields: object) -> None:
        """Append a line. Return once the line is on disk.

        Raises:
            OSError: the line is not on disk; nothing may be bought.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields})
        write_file(self.path, f"{line}\n".encode(), os.O_APPEND)

    def lines(self) -> list[Mapping[str, Any]]:
        """Return all lines, oldest first. A line that a crash cut off is left out."""
        if not self.path.exists():
            return []
        return [line for text in self.path.read_text().splitlines() if (line := _object(text)) is not None]


def write_file(path: Path, data: bytes, flag: int = os.O_EXCL) -> None:
    """Write `data` to a file that only its owner can read, down to the disk. The file is new unless `flag` allows another.

    Raises:
        OSError: the file could not be written, or exists already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, _FOR_US_ALONE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, _FOR_US_ALONE)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without this a new file could be lost with its name
    finally:
        os.close(folder)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
