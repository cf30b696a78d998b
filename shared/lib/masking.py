"""Shows a number by its last four digits."""


def last_four(number: str | None) -> str | None:
    """A meter, account or mobile number as logs and reports show it: `*6789`."""
    return None if number is None else f"*{number[-4:]}"
