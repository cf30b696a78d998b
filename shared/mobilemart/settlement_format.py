"""How the supplier names and writes its settlement files. Settlement finds and reads files with it. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from shared.domain.statement import FileName
from shared.mobilemart.settlement_file import SettlementFile

_FILE_NAME: Final = re.compile(r"FULCRUM\.MERCHANT\.(.+)\.RECON\.([0-9]{8,17})\.txt", re.ASCII)
_ALIKE: Final = re.compile("fulcrum|recon", re.IGNORECASE)


class ReconFormat:
    """The "recon file". Implements `shared.ports.settlement_files.StatementFormat`."""

    def read(self, chunks: Iterable[bytes], name: str = "") -> SettlementFile:
        """As `StatementFormat.read`."""
        return SettlementFile(chunks, name)

    def file_name(self, name: str) -> FileName | None:
        """Split `FULCRUM.MERCHANT.<NAME>.RECON.<DATETIME>.txt`. `None` for any other name, and for unprintable characters."""
        match = _FILE_NAME.fullmatch(name)
        return FileName(match[1], match[2]) if match and name.isprintable() else None

    def why_not_taken(self, name: str) -> str | None:
        """As `StatementFormat.why_not_taken`."""
        if self.file_name(name) is not None or not _ALIKE.search(name):
            return None
        if not name.isprintable():
            return "the name holds what cannot be printed"
        if self._is_named(name.lower()):
            return "the name is not in capitals with .txt in small letters"
        bare = re.sub(r"\s+|\(\d+\)", "", name)
        if self._is_named(bare.lower()):
            return "the name has blanks or a number in brackets"
        if not name.endswith(".txt"):
            return "the name does not end in .txt"
        return "the name is not FULCRUM.MERCHANT.<NAME>.RECON.<8 to 17 digits>.txt"

    def _is_named(self, lower: str) -> bool:
        return self.file_name(lower.removesuffix(".txt").upper() + ".txt") is not None and lower.endswith(".txt")


FORMAT: Final = ReconFormat()
