"""A promise that did not hold."""


class Violation(Exception):
    """An invariant that was broken, and how. Never with a token in it."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what
