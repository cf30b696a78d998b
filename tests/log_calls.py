"""The log calls of the code: level and fixed message of each, read from the source."""

import ast
from pathlib import Path
from typing import Final

from tests.root import ROOT

LEVELS: Final = ("info", "warning", "error", "critical")


def log_calls(*folders: str) -> set[tuple[str, str]]:
    """Level and message of every `log.LEVEL("message", ...)` in the Python files below these folders.

    Raises:
        AssertionError: a message is no constant, so nobody could listen for it.
    """
    return {line for folder in folders for path in (ROOT / folder).rglob("*.py") for line in _log_calls_in(path)}


def _log_calls_in(path: Path) -> set[tuple[str, str]]:
    lines = set()
    for call in ast.walk(ast.parse(path.read_text())):
        match call:
            case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(message)), *_]) if level in LEVELS:
                lines.add((level, message))
            case ast.Call(ast.Attribute(ast.Name("log"), level)) if level in LEVELS:
                raise AssertionError(f"{path.relative_to(ROOT)}:{call.lineno} logs a message that is no constant")
    return lines
