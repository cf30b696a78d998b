"""The folder of the repository, from wherever a test stands."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
