"""Settlement files in a folder: what is listed and read of it, and what is stored as gzip."""

import gzip
import os
import zlib
from random import Random

import pytest

from shared.bootstrap import files_in
from shared.gcp import cloud_storage
from shared.mobilemart.settlement_format import FORMAT
from shared.ports.settlement_files import HEAD_BYTES, FilesUnavailable, FileUnreadable, NotTaken
from shared.settlement import file_sources
from tests.unit.settlement.test_file_sources import DAY, NAME, OTHER, of

# Gzip


def unpacked(tmp_path, body):
    """The chunks of a file in a folder."""
    (tmp_path / NAME).write_bytes(body)
    (stored,) = file_sources.local_files(tmp_path, FORMAT)
    return file_sources.expanding(stored).chunks()


def test_a_gzip_is_expanded_a_bounded_piece_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(file_sources, "CHUNK_BYTES", 100_000)
    plain = of(DAY, 1_000_000)
    chunks = list(unpacked(tmp_path, gzip.compress(plain)))
    assert b"".join(chunks) == plain and max(map(len, chunks)) <= 100_000


def test_a_gzip_that_looks_back_as_far_as_gzip_can_is_expanded(tmp_path):
    plain = Random(1).randbytes(30_000) * 2
    assert b"".join(unpacked(tmp_path, gzip.compress(plain))) == plain


@pytest.mark.parametrize("behind", [b"", bytes(1), bytes(70_000)])
def test_a_gzip_may_have_members_and_zeros_behind_it(tmp_path, behind):
    plain = of(DAY, 99)
    parts = [gzip.compress(part) for part in (plain[:10], plain[10:], b"")]
    assert b"".join(unpacked(tmp_path, b"".join(parts) + behind)) == plain


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (gzip.compress(of(DAY), mtime=0)[:-1], "its gzip is cut off"),
        (gzip.compress(of(DAY), mtime=0) + gzip.compress(of(DAY), mtime=0)[:-8], "its gzip is cut off"),
        (gzip.compress(of(DAY), mtime=0)[:-9] + b"\xff" + gzip.compress(of(DAY), mtime=0)[-8:], "its gzip is broken"),
        (gzip.compress(of(DAY), mtime=0) + zlib.compress(of(DAY)), "its gzip is broken"),
        (gzip.compress(of(DAY), mtime=0) + b"text", "its gzip is broken"),
        (b"\x1f\x8b", "its gzip is cut off"),
    ],
)
def test_a_gzip_that_is_no_whole_one_is_never_read_to_its_end(tmp_path, body, cause):
    with pytest.raises(FileUnreadable) as error:
        b"".join(unpacked(tmp_path, body))
    assert str(error.value) == cause


@pytest.mark.parametrize("body", [b"", b"\x1f", of(DAY), of(DAY, HEAD_BYTES), zlib.compress(of(DAY))])
def test_what_does_not_begin_as_gzip_comes_as_it_is(tmp_path, body):
    assert b"".join(unpacked(tmp_path, body)) == body


# Folders


async def test_a_folder_is_listed_in_order_and_a_file_is_marked_by_time_size_and_path(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / OTHER).mkdir()
    for path in (tmp_path / "b" / NAME, tmp_path / "a.txt", tmp_path / "z.txt"):
        path.write_bytes(of(DAY))
        os.utime(path, ns=(5, 7))
    stored = list(file_sources.local_files(tmp_path, FORMAT))
    assert [one.name for one in stored] == [OTHER, "a.txt", NAME, "z.txt"]
    assert stored[2].mark == f"7-17-{tmp_path / 'b' / NAME}"


async def test_a_folder_that_cannot_be_listed_is_away_and_one_below_it_is_reported(tmp_path, monkeypatch):
    with pytest.raises(FilesUnavailable) as away:
        list(file_sources.local_files(tmp_path / "nowhere", FORMAT))
    assert str(away.value) == "No such file or directory"
    (tmp_path / "in\tner").mkdir()
    (tmp_path / NAME).write_bytes(of(DAY))
    scan = os.scandir

    def denied(path):
        if str(path).endswith("ner"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", denied)
    told, stored = file_sources.local_files(tmp_path, FORMAT)
    assert told == NotTaken("in\\tner", "the folder cannot be listed: Permission denied") and stored.name == NAME


def test_a_link_is_the_file_that_it_leads_to_or_itself_where_that_is_not_there(tmp_path):
    (tmp_path / "a").write_bytes(of(DAY))
    os.utime(tmp_path / "a", ns=(5, 7))
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("nowhere")
    _, link, dangling = file_sources.local_files(tmp_path, FORMAT)
    about = (tmp_path / "c").lstat()
    assert link.mark == f"7-17-{tmp_path / 'b'}" and b"".join(link.chunks()) == of(DAY)
    assert dangling.mark == f"{about.st_mtime_ns}-{about.st_size}-{tmp_path / 'c'}"
    with pytest.raises(FileUnreadable, match="No such file or directory"):
        b"".join(dangling.chunks())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / NAME)
    (stored,) = file_sources.local_files(tmp_path, FORMAT)
    with pytest.raises(FileUnreadable, match="it is no regular file|Is a directory"):
        b"".join(stored.chunks())


def test_a_file_is_read_by_a_head_and_then_by_larger_chunks(tmp_path):
    body = of(DAY, 200_000)
    assert [len(chunk) for chunk in unpacked(tmp_path, body)] == [HEAD_BYTES, len(body) - HEAD_BYTES]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("what", ["time", "size"])
def test_a_file_of_another_time_or_size_than_was_listed_is_not_read(tmp_path, when, what):
    path = tmp_path / NAME
    path.write_bytes(of(DAY, HEAD_BYTES))
    os.utime(path, ns=(5, 7))
    (stored,) = file_sources.local_files(tmp_path, FORMAT)
    assert b"".join(stored.chunks()) == of(DAY, HEAD_BYTES)
    chunks = stored.chunks()
    if when == "meanwhile":
        assert len(next(chunks)) == HEAD_BYTES
    if what == "size":
        path.write_bytes(of(DAY, HEAD_BYTES + 1))
    os.utime(path, ns=(5, 7 if what == "size" else 8))
    with pytest.raises(FileUnreadable, match="it changed since it was listed"):
        next(chunks) if when == "before" else list(chunks)


@pytest.mark.parametrize("place", [None, "", "/folder", "https://bucket/x"])
async def test_what_is_neither_bucket_nor_folder_is_no_place(place, tmp_path):
    files = files_in(place, None)
    assert await files.find([DAY]) == {}
    await files.close()


# Checksums of objects


@pytest.mark.parametrize(
    ("implementation", "crc32c", "expected", "size"),
    [("c", "crc", "crc", 4), ("c", None, "md5", 16), ("c", "", "md5", 16), ("python", "crc", "md5", 16), ("cffi", "crc", "md5", 16)],
)
def test_an_object_is_checked_by_crc32c_if_given_and_fast_and_by_md5_otherwise(monkeypatch, implementation, crc32c, expected, size):
    monkeypatch.setattr("google_crc32c.implementation", implementation)
    listed = cloud_storage._Listed(name=NAME, generation=1, size=1, encoding=None, crc32c=crc32c, md5="md5")
    digest, wanted = cloud_storage._digest(listed)
    assert (wanted, len(digest.digest())) == (expected, size)
