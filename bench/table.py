"""Tables in Markdown: the printed form can be stored as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    cells: Sequence[object]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *(row.cells for row in self.rows)]
        return f"\n{self.title}\n\n" + "\n".join(f"| {' | '.join(str(cell) for cell in cells)} |" for cells in lines)


@dataclass(frozen=True, slots=True)
class Goal:
    """A value to reach, or not to exceed."""

    bound: float
    at_least: bool

    def verdict(self, found: float) -> str:
        return "met" if (found >= self.bound if self.at_least else found <= self.bound) else "**not met**"

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:,g}"


def spread(found: Sequence[float], digits: int = 0) -> str:
    """Return the median, and the range of the rounds."""
    return f"{median(found):,.{digits}f} ({min(found):,.{digits}f} to {max(found):,.{digits}f})"
