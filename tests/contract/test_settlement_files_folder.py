"""Settlement files in a folder: links, rights and names that keep a file from being read."""

import errno
import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from shared.bootstrap import files_in
from shared.mobilemart.settlement_file import SettlementFile
from shared.ports.settlement_files import FilesUnavailable, StatementRefused
from shared.settlement.matching import ONE_DAY
from tests.contract.file_places import (
    DAY,
    NEXT,
    THREE,
    content,
    found,
    name,
    refusals,
)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def looping(path: Path) -> None:
    path.symlink_to(path.name)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_bytes(b"of no interest")


def a_link_to_a_folder(path: Path) -> None:
    path.symlink_to(path.parent)


def beyond_a_file(path: Path) -> None:
    (path.parent / "plain").write_bytes(b"")
    path.symlink_to("plain/beyond")


IN_A_FOLDER = {
    "a dangling link": (dangling, "No such file or directory"),
    "a link to itself": (looping, "Too many levels of symbolic links"),
    "a folder by a file's name": (a_folder, "Is a directory"),
    "a link to a folder": (a_link_to_a_folder, "Is a directory"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a path through a file": (beyond_a_file, "Not a directory"),
}


@pytest.mark.parametrize("kind", IN_A_FOLDER)
async def test_an_unreadable_file_costs_its_own_day_alone_and_names_the_reason(tmp_path, kind):
    make, cause = IN_A_FOLDER[kind]
    for day in (DAY, NEXT + ONE_DAY):
        (tmp_path / name(f"{day + ONE_DAY:%Y%m%d}060000")).write_bytes(content(day))
    bad = tmp_path / name("20260503060000")
    make(bad)
    files = files_in(tmp_path.as_uri(), None)
    (refusal,) = (said := await refusals(files)).values()
    assert set(said) == {NEXT} and (refusal.file, refusal.unread) == (bad.name, "unreadable") and cause in refusal.reason
    shutil.rmtree(bad) if bad.is_dir() and not bad.is_symlink() else bad.unlink()
    bad.write_bytes(content(NEXT))
    assert await refusals(files) == {}
    await files.close()


async def test_a_file_that_may_not_be_opened_costs_its_own_day_alone(tmp_path, monkeypatch):
    for day in THREE:
        (tmp_path / name(f"{day + ONE_DAY:%Y%m%d}060000")).write_bytes(content(day))
    opened = os.open

    def denied(path, flags, *more):
        if str(path).endswith("20260503060000.txt"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, *more)

    monkeypatch.setattr("os.open", denied)
    files = files_in(tmp_path.as_uri(), None)
    assert {day: refusal.reason for day, refusal in (await refusals(files)).items()} == {NEXT: "the file cannot be read: Permission denied"}
    await files.close()


async def test_a_file_that_grows_while_it_is_read_is_not_believed(tmp_path):
    path = tmp_path / name()
    path.write_bytes(content(DAY, 2))
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY])

    def reading(opened: list[SettlementFile]) -> list[int]:
        rows = []
        for file in opened:
            lines = iter(file)
            next(lines)
            with path.open("ab") as more:
                more.write(b"\n")
            rows.append(1 + len(list(lines)))
        return rows

    with pytest.raises(StatementRefused, match="changed") as refused:
        await files.read(listed, reading)
    assert refused.value.refusal.unread == "broken off"
    await files.close()


async def test_a_folder_inside_that_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    (tmp_path / name()).write_bytes(content(DAY))
    (tmp_path / "inner").mkdir()
    scan = os.scandir

    def denied(path):
        if str(path).endswith("inner"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", denied)
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY])
    assert set(listed) == {DAY}
    assert [(one.name, one.reason) for one in listed.not_taken] == [("inner", "the folder cannot be listed: Permission denied")]
    await files.close()


@pytest.mark.parametrize("missing", ["nowhere", "plain"])
async def test_a_folder_that_is_not_there_is_no_empty_place(tmp_path, missing):
    (tmp_path / "plain").write_bytes(b"")
    files = files_in((tmp_path / missing).as_uri(), None)
    with pytest.raises(FilesUnavailable, match="No such file|Not a directory"):
        await files.find([DAY])
    await files.close()


async def test_a_file_without_a_header_is_named_as_those_beside_it(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), b"nothing like it\n")
    files = place.files()
    assert await found(files, DAY, NEXT, NEXT + ONE_DAY) == {DAY: name("20260502060000"), NEXT: name("20260503060000")}
    place.put(name("20260504"), b"nothing like it either\n")
    place.put(name("20260505"), content(NEXT + 2 * ONE_DAY))
    place.put(name("20260506"), b"nor it\n")
    said = await found(place.files(), *(DAY + ONE_DAY * days for days in range(9)))
    assert said[date(2026, 5, 4)] == name("20260505") and said[date(2026, 5, 5)] == name("20260506") and date(2026, 5, 6) not in said


async def test_a_name_that_is_not_utf_8_is_reported_and_no_other_file_suffers(tmp_path):
    (tmp_path / name()).write_bytes(content(DAY))
    (tmp_path / os.fsdecode(b"FULCRUM.MERCHANT.A\xffCME.RECON.20260502060000.txt")).write_bytes(content(DAY))
    below = tmp_path / os.fsdecode(b"\xff")
    below.mkdir()
    (below / name("20260503")).write_bytes(content(NEXT))
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY, NEXT])
    assert set(listed) == {DAY, NEXT}
    assert [one.name for one in listed.not_taken] == [r"FULCRUM.MERCHANT.A\udcffCME.RECON.20260502060000.txt"]
    assert listed[NEXT].known_as.encode()
    await files.close()
