"""The functions as they are deployed: one archive each, with the same bytes on every machine at any time."""

import argparse
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format can store
_REGULAR_FILE: Final = 0o100644 << 16  # type and permissions, in the upper half, as Unix writes them
_UNIX: Final = 3


def functions(root: Path = ROOT) -> tuple[str, ...]:
    """Return the names of the functions: the folders of `functions/` that hold a `main.py`."""
    return tuple(sorted(main.parent.name for main in root.glob("functions/*/main.py")))


def archive(name: str, root: Path = ROOT) -> bytes:
    """Return the zip of one function: its `main.py`, `shared/` beside it, and the pinned `requirements.txt`.

    The same files give the same bytes. Entries are in order; times and permissions are fixed.
    Nothing is compressed, because builds of zlib differ in their output.

    Raises:
        FileNotFoundError: the function does not exist.
    """
    content = {
        "main.py": root / "functions" / name / "main.py",
        "requirements.txt": root / "requirements.txt",
        **{path.relative_to(root).as_posix(): path for path in _shipped(root / "shared")},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for entry, path in sorted(content.items()):
            bundle.writestr(_header(entry), path.read_bytes())
    return packed.getvalue()


def write(into: Path, root: Path = ROOT) -> Iterator[Path]:
    """Write every function's archive into a folder, which is made if missing. Yield each archive once it is written."""
    into.mkdir(parents=True, exist_ok=True)
    for name in functions(root):
        path = into / f"{name}.zip"
        path.write_bytes(archive(name, root))
        yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the archives and print the name, size and SHA-256 of each."""
    parser = argparse.ArgumentParser(prog="python -m local.package", description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "build", metavar="FOLDER", help="default: build")
    into: Path = parser.parse_args(arguments).into
    if not functions():
        parser.error("there is no functions/NAME/main.py to package")
    for path in write(into):
        packed = path.read_bytes()
        print(f"{path.name:<14} {len(packed):>9,} bytes  sha256 {hashlib.sha256(packed).hexdigest()}")
    return 0


def _shipped(folder: Path) -> Iterator[Path]:
    """Return the code and the data that it reads, without the traces of interpreters and tools."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in inside):
            yield path


def _header(entry: str) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(entry, _EPOCH)
    header.create_system = _UNIX
    header.external_attr = _REGULAR_FILE
    return header


if __name__ == "__main__":
    sys.exit(main())
