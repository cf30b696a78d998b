"""What a run of the probe writes: its steps for the eye, the answers and the requests to disk, and what was proven."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.probe.findings import Finding
from local.probe.structure import members_at, structure
from local.purchase_log import Journal, keep
from local.terminal import Steps, Verdict, said
from shared.mobilemart.responses import Heard, Reply

JOURNAL_NAME: Final = "requests.jsonl"


@dataclass(slots=True)
class Notes:
    """Everything of one run. `folder` is `None` where nothing is to be kept; only our user may read what is."""

    steps: Steps
    folder: Path | None
    found: dict[str, Finding] = field(default_factory=dict)

    @property
    def journal(self) -> Journal:
        """Every request that could have sold, of all runs."""
        assert self.folder is not None  # nothing is bought, or looked up, without one
        return Journal(self.folder / JOURNAL_NAME)

    def take(self, findings: Iterable[Finding]) -> None:
        """What was proven; later proof of the same question counts."""
        self.found |= {finding.question: finding for finding in findings}

    def tell(self, heard: Heard) -> None:
        """End the step with how an answer looks."""
        self.steps.end(Verdict.SEEN, description(heard), *looks(heard))

    def keep(self, name: str, heard: Heard) -> str | None:
        """Write an answer's body as it came, tokens and all, and give the file's name; `None` when nothing is kept or there is none.

        Raises:
            OSError: it could not be written.
        """
        if self.folder is None or not isinstance(heard, Reply):
            return None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{name}-{heard.status}.body"
        keep(path, heard.body)
        return path.name


def description(heard: Heard) -> str:
    """An answer in a line: its status and code, and an error's own words."""
    if not isinstance(heard, Reply):
        return f"no answer: {said(heard.cause)}"
    detail = members_at(heard.json).get("detail") if not heard.is_success else None
    return f"{said(heard.description)}: {said(detail)}" if detail else said(heard.description)


def looks(heard: Heard) -> list[str]:
    """The form of each member of an answer in JSON, and of no error's."""
    if not isinstance(heard, Reply) or not heard.is_success or heard.json is None:
        return []
    return [f"{path:42} {form}" for path, form in structure(heard.json).items()]
