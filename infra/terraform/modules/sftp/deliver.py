"""Brings whole files from the folder that the supplier writes into the bucket, and never replaces one that lies there.

It runs on the SFTP server every minute, with what Debian's own Python has. A file is whole when nobody has it open and nothing
about it has changed for a while: SFTP has no word for the end of a file. What was brought stays on the disk for a month.
"""

import base64
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

METADATA = os.environ.get("METADATA_URL", "http://metadata.google.internal")
STORAGE = os.environ.get("STORAGE_URL", "https://storage.googleapis.com")
LOGGING = os.environ.get("LOGGING_URL", "https://logging.googleapis.com")
TIMEOUT_SECONDS = 60
QUIET_SECONDS = 300  # an upload that broke off is begun again within it, or by a person
KEPT_SECONDS = 30 * 86_400
NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
UNFINISHED = (".filepart", ".part", ".partial", ".tmp")  # what clients call a file before they rename it


def main(bucket: str, root: Path) -> int:
    """Bring what is whole; 1 when something could not be brought."""
    google = Google()
    failed = False
    for path in whole(root / "home" / "in", time.time(), opened()):
        try:
            refused = google.refused(bucket, path) if NAMED.fullmatch(path.name) else "no file of the supplier's has such a name"
        except OSError as error:  # not allowed, or not reached: the next minute tries again
            failed = True
            google.say("ERROR", "settlement file not brought", file=path.name, cause=str(error))
            continue
        path.replace(root / ("refused" if refused else "delivered") / f"{path.name[:200]}.{int(time.time())}")
        if refused:
            failed = True
            google.say("ERROR", f"settlement file refused: {refused}", file=path.name)
        else:
            google.say("INFO", "settlement file brought", file=path.name)
    for old in (*(root / "delivered").iterdir(), *(root / "refused").iterdir()):
        if old.stat().st_ctime < time.time() - KEPT_SECONDS:
            old.unlink()
    return 1 if failed else 0


def whole(folder: Path, now: float, writing: frozenset[str]) -> Iterator[Path]:
    """Files that nobody writes any more. The time is that of the last change, which a client cannot set as it can the other."""
    for path in sorted(folder.iterdir()):
        about = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        named = not path.name.startswith(".") and not path.name.endswith(UNFINISHED)
        if is_file and named and about.st_ctime <= now - QUIET_SECONDS and str(path) not in writing:
            yield path


def opened() -> frozenset[str]:
    """Every path that a process has open. Inside its root a process sees another path; what the kernel tells is ours."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found.add(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    return frozenset(found)


class Google:
    """The APIs of Google, as far as they are needed here, in the name of the machine's account."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}

    def refused(self, bucket: str, path: Path) -> str | None:
        """Why the bucket cannot hold this file under its name; `None`: it does, now or already.

        Raises:
            OSError: neither is known.
        """
        try:
            self._upload(bucket, path)
        except HTTPError as refused:  # who may not replace may be told either that it is there or that it is not allowed
            if refused.code not in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.FORBIDDEN):
                raise
            there = self._json(f"{STORAGE}/storage/v1/b/{bucket}/o/{quote(path.name, safe='')}?fields=md5Hash")
            if there["md5Hash"] != base64.b64encode(hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()).decode():
                return "another of its name lies in the bucket"
        return None

    def say(self, severity: str, message: str, **fields: str) -> None:
        """A line in the project's log; where that fails, in the machine's."""
        print(severity, message, fields, flush=True)
        try:
            project = self._metadata("project/project-id")
            entry = {"logName": f"projects/{project}/logs/sftp", "resource": {"type": "global"}, "severity": severity}
            written = {"entries": [{**entry, "jsonPayload": {"message": message, **fields}}]}
            self._json(f"{LOGGING}/v2/entries:write", json.dumps(written).encode())
        except OSError as error:
            print("ERROR", "not logged", error, flush=True)

    def _upload(self, bucket: str, path: Path) -> None:
        place = f"{STORAGE}/upload/storage/v1/b/{bucket}/o?uploadType=media&ifGenerationMatch=0&name={quote(path.name, safe='')}"
        headers = {"Content-Type": "text/plain", "Content-Length": str(path.stat().st_size), **self._authorized()}
        with path.open("rb") as content, urlopen(Request(place, content, headers), timeout=TIMEOUT_SECONDS):
            pass

    def _json(self, url: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json", **self._authorized()}
        with urlopen(Request(url, body, headers), timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)

    def _authorized(self) -> Mapping[str, str]:
        if not self._headers:
            token = json.loads(self._metadata("instance/service-accounts/default/token"))["access_token"]
            self._headers = {"Authorization": f"Bearer {token}"}
        return self._headers

    @staticmethod
    def _metadata(what: str) -> str:
        asked = Request(f"{METADATA}/computeMetadata/v1/{what}", headers={"Metadata-Flavor": "Google"})
        with urlopen(asked, timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
