"""Examples on a page: each command fenced as `sh` that is followed by its answer, fenced as `json`, runs, and answers so.

The commands of a page run in one shell, in their order, so a variable or function of one is there in the next. An answer on a page
shows a part: its objects may lack members, its lists may end early. What it shows must be there, to the letter; `…` stands for anything,
and what differs from run to run (ids, times, days, simulated tokens and receipts) need only be of the same form. An answer fenced as
`http` has its head above it, as `curl -i` prints it: the status, some headers, and the JSON.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.docs.pages import Page

ELIDED: Final = "…"
LOCAL: Final = "http://127.0.0.1:8080"
SECONDS: Final = 120.0
VARYING: Final = (
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"[0-9a-f]{32}",
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})",
    r"\d{4}-\d{2}-\d{2}",
    r"0{12}\d{8}",  # a simulated STS token or serial number
    r"0{8}\d{8}",  # a simulated PIN
    r"SIM-RCP-[0-9a-f]{8}",
    r"SIM-REF-[0-9a-f]{8}",
)
_PARTS: Final = re.compile(f"({'|'.join(rf'(?<![0-9A-Za-z]){form}(?![0-9A-Za-z])' for form in VARYING)})")


@dataclass(frozen=True, slots=True)
class Example:
    """A command, the answer that the page shows, and how such an answer is read."""

    command: str
    answer: Any
    read: Callable[[str], Any]


def examples(page: Page) -> list[Example]:
    """The examples of a page. A command without an answer right behind it is none: it is for another place or another time."""
    fences = list(page.fences("sh", *READERS, "bash", "text", ""))
    return [
        Example(body, READERS[after](answer), READERS[after])
        for (language, body), (after, answer) in pairwise(fences)
        if language == "sh" and after in READERS
    ]


def read_http(text: str) -> dict[str, Any]:
    """Status, headers and JSON of an answer with its head."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {"status": status, "headers": headers, "body": json.loads(body)}


def answers(shown: list[Example], url: str, folder: Path) -> list[str]:
    """What the commands print, with the system at `url` in the place of the one that the page names.

    Raises:
        AssertionError: a command failed; the text is what it said.
    """
    printed = [folder / f"answer-{at:02d}" for at in range(len(shown))]
    script = "\n".join(f"{{\n{one.command}}} > {path}" for one, path in zip(shown, printed, strict=True)).replace(LOCAL, url)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "no_proxy": "127.0.0.1"}
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    said = {path.name: path.read_text()[:300] for path in printed if path.exists()}
    assert done.returncode == 0, f"{done.stderr}\n{said}"
    return [path.read_text() for path in printed]


def difference(shown: Any, answered: Any, at: str = "answer") -> str | None:
    """Where an answer is not as shown; `None` when it is."""
    match shown, answered:
        case dict(), dict():
            missing = [f"{at} lacks {name}" for name in shown if name not in answered]
            deeper = (difference(value, answered[name], f"{at}.{name}") for name, value in shown.items() if name in answered)
            return next(iter(missing), None) or next((one for one in deeper if one), None)
        case list(), list():
            if len(shown) > len(answered) or (not shown and answered):
                return f"{at} has {len(answered)} items and not {len(shown)}"
            deeper = (difference(one, other, f"{at}.{nth}") for nth, (one, other) in enumerate(zip(shown, answered, strict=False)))
            return next((one for one in deeper if one), None)
        case str(), str() if re.fullmatch(_pattern(shown), answered, re.DOTALL):
            return None
        case _:
            return None if (type(shown), shown) == (type(answered), answered) else f"{at} is {answered!r} and not {shown!r}"


def _pattern(shown: str) -> str:
    """What a text may be that is shown so."""
    parts = (_PARTS.split(part) for part in shown.split(ELIDED))
    return ".*".join("".join(_form(piece) for piece in pieces if piece) for pieces in parts)


def _form(piece: str) -> str:
    return next((form for form in VARYING if re.fullmatch(form, piece)), re.escape(piece))


READERS: Final[Mapping[str, Callable[[str], Any]]] = {"json": json.loads, "http": read_http}
