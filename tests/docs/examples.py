"""Examples on a page: each command fenced as `sh` that is followed by its answer, fenced as `json`, runs, and answers so.

The commands of a page run in one shell, in their order, so a variable or function of one is there in the next. An answer on a page
shows a part: its objects may lack members, its lists may end early. What it shows must be there, to the letter; `…` stands for anything.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.docs.pages import Page

ELIDED: Final = "…"
LOCAL: Final = "http://127.0.0.1:8080"
SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Example:
    """A command, and the answer that the page shows."""

    command: str
    answer: Any


def examples(page: Page) -> list[Example]:
    """The examples of a page. A command without an answer right behind it is none: it is for another place or another time."""
    fences = list(page.fences("sh", "json", "bash", "text", ""))
    return [
        Example(body, json.loads(answer)) for (language, body), (after, answer) in pairwise(fences) if (language, after) == ("sh", "json")
    ]


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
        case str(), str() if re.fullmatch(".*".join(map(re.escape, shown.split(ELIDED))), answered, re.DOTALL):
            return None
        case _:
            return None if (type(shown), shown) == (type(answered), answered) else f"{at} is {answered!r} and not {shown!r}"
