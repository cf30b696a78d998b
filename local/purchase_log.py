"""A journal of what is about to be bought: on the disk before the request leaves, so that nothing bought here is ever lost."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_FOR_US_ALONE: Final = 0o600


class Journal:
    """A file of JSON lines that only grows, readable by its owner only. Never a token, a PIN or a whole number in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **fields: object) -> None:
        """Add a line, and return once it is on the disk.

        Raises:
            OSError: it is not; then nothing may be bought.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields})
        keep(self.path, f"{line}\n".encode(), os.O_APPEND)

    def lines(self) -> list[Mapping[str, Any]]:
        """All lines, oldest first; one that was cut by a crash is left out."""
        if not self.path.exists():
            return []
        return [line for text in self.path.read_text().splitlines() if (line := _object(text)) is not None]


def keep(path: Path, data: bytes, flag: int = os.O_EXCL) -> None:
    """Write `data` to a file of our own, a new one unless `flag` says otherwise, down to the disk.

    Raises:
        OSError: it could not be written, or is there already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, _FOR_US_ALONE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, _FOR_US_ALONE)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # a new file is lost with its name
    finally:
        os.close(folder)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
