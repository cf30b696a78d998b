"""Reads environment variables: typed, with all faults collected. No fault quotes a value, which may be a misplaced secret."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

Choice = TypeVar("Choice", bound=StrEnum)


class Variables:
    """Reads variables one at a time and collects faults. After a fault a method returns a value of the right type."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.given = {name: value for name, value in environ.items() if value}
        self.faults: list[str] = []

    def refuse(self, name: str, why: str) -> None:
        self.faults.append(f"{name} {why}")

    def require(self, name: str, where: str) -> None:
        if name not in self.given:
            self.refuse(name, f"is required {where}")

    def text(self, name: str, pattern: str, meaning: str) -> str | None:
        value = self.given.get(name)
        if value is None or re.fullmatch(pattern, value, re.ASCII):
            return value
        self.refuse(name, f"must be {meaning}")
        return None

    def number(self, name: str, default: int, *, most: int, least: int = 1) -> int:
        value = self.given.get(name, str(default))
        if re.fullmatch(r"[0-9]{1,10}", value) and least <= int(value) <= most:
            return int(value)
        self.refuse(name, f"must be a whole number from {least} to {most}")
        return default

    def choice(self, name: str, default: Choice) -> Choice:
        return self.required_choice(name, type(default)) or default if name in self.given else default

    def required_choice(self, name: str, choices: type[Choice]) -> Choice | None:
        value = self.given.get(name)
        for choice in choices:
            if choice.value == value:
                return choice
        self.refuse(name, f"{'is required: ' if value is None else 'must be '}{_one_of(choices)}")
        return None

    def address(self, name: str, *, clear: bool) -> str | None:
        """An `https` address; with `clear`, also an `http` one on this machine."""
        value = self.given.get(name)
        if value is None:
            return None
        if (fault := _address_fault(value, clear=clear)) is None:
            return value
        self.refuse(name, fault)
        return None

    def origins(self, name: str, *, clear: bool) -> tuple[str, ...]:
        """The origins of pages, separated by commas. Each is `https`, or with `clear` also `http` on this machine."""
        origins = tuple(origin.strip() for origin in self.given.get(name, "").split(",") if origin.strip())
        for origin in origins:
            parts = split_address(origin)
            if parts is None or origin != f"{parts.scheme}://{parts.netloc}".lower() or parts.scheme not in {"https", "http"}:
                self.refuse(name, "must be origins, each https://host with at most a port, and never *")
            elif parts.scheme == "http" and not (clear and is_loopback(parts.hostname)):
                self.refuse(name, "must be https:// origins; http:// is accepted for loopback only, and not in production")
        return origins


def is_address(value: str, *, clear: bool) -> bool:
    """Whether `value` is an `https` address, or with `clear` an `http` one on this machine."""
    return _address_fault(value, clear=clear) is None


def _address_fault(value: str, *, clear: bool) -> str | None:
    parts = split_address(value)
    if parts is None or parts.scheme not in {"https", "http"}:
        return "must be an https:// address of a host, without credentials, query or fragment"
    if parts.scheme == "https":
        return None
    if not is_loopback(parts.hostname):
        return "must be https://; http:// is accepted for loopback only"
    return None if clear else "must be https:// in production"


def _one_of(choices: Iterable[StrEnum]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}"


def split_address(address: str) -> SplitResult | None:
    """The parts of an address that is a host with at most a port and a path; `None` for every other text."""
    if not re.fullmatch(r"[!-~]{1,2000}", address):
        return None
    try:
        parts = urlsplit(address)
        well_formed = re.fullmatch(r"[a-z0-9._:-]+", parts.hostname or "") and parts.port != 0
    except ValueError:
        return None
    return parts if well_formed and not {"@", "?", "#", "\\"} & set(address) else None


def is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
