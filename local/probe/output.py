"""The output of a probe run: steps on the screen, answers and requests on disk, and what was proven."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.probe.findings import Finding
from local.probe.structure import members_at, structure
from local.purchase_log import PurchaseLog, write_file
from local.terminal import Steps, Verdict, safe_text
from shared.mobilemart.responses import Heard, Reply

JOURNAL_NAME: Final = "requests.jsonl"


@dataclass(slots=True)
class ProbeOutput:
    """The output of one run. `folder` is `None` if nothing is stored; only our user may read the folder."""

    steps: Steps
    folder: Path | None
    found: dict[str, Finding] = field(default_factory=dict)

    @property
    def purchase_log(self) -> PurchaseLog:
        """The log of every request that could have sold, of all runs."""
        assert self.folder is not None  # without a folder nothing is bought or looked up
        return PurchaseLog(self.folder / JOURNAL_NAME)

    def take(self, findings: Iterable[Finding]) -> None:
        """Store findings. A later finding replaces an earlier one of the same question."""
        self.found |= {finding.question: finding for finding in findings}

    def print_answer(self, heard: Heard) -> None:
        """End the step with the form of an answer."""
        self.steps.end(Verdict.SEEN, description(heard), *looks(heard))

    def store(self, name: str, heard: Heard) -> str | None:
        """Store an answer's body as it arrived, with its tokens. Return the file's name; `None` if nothing is stored.

        Raises:
            OSError: the body could not be written.
        """
        if self.folder is None or not isinstance(heard, Reply):
            return None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{name}-{heard.status}.body"
        write_file(path, heard.body)
        return path.name


def description(heard: Heard) -> str:
    """Describe an answer in a line: its status and code, and an error's own words."""
    if not isinstance(heard, Reply):
        return f"no answer: {safe_text(heard.cause)}"
    detail = members_at(heard.json).get("detail") if not heard.is_success else None
    return f"{safe_text(heard.description)}: {safe_text(detail)}" if detail else safe_text(heard.description)


def looks(heard: Heard) -> list[str]:
    """Return the form of each member of a JSON answer; nothing for an error."""
    if not isinstance(heard, Reply) or not heard.is_success or heard.json is None:
        return []
    return [f"{path:42} {form}" for path, form in structure(heard.json).items()]
