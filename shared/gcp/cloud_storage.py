"""Settlement files in a bucket of Cloud Storage. Its client is synchronous: callers list and read in a thread."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from shared.lib.value import Value
from shared.ports.settlement_files import CHUNK_BYTES, HEAD_BYTES, FilesUnavailable, FileUnreadable, StoredFile

LISTING_SECONDS: Final = 20.0  # of retries for a listing
READING_SECONDS: Final = 5.0  # of retries for a part of an object
TIMEOUT_SECONDS: Final = (5.0, 10.0)  # to connect, and between two reads of data
SHORT_TIMEOUT_SECONDS: Final = (2.0, 2.0)  # for an object that could not be read before: other objects wait

_GZIP: Final = b"\x1f\x8b"


class _Listed(Value, frozen=True):
    """An object of a listing. The client's own `Blob` changes with each answer."""

    name: str
    generation: int
    size: int
    encoding: str | None
    crc32c: str | None
    md5: str | None

    @property
    def mark(self) -> str:
        return f"{self.generation}-{self.name}"


class Bucket:
    """The files under a prefix of a bucket. The first listing makes the client, which itself reads `STORAGE_EMULATOR_HOST`.

    After a failed read, each further read of the object has one short attempt, until the object was read whole. A run reads an object
    many times, and other days wait.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._client: Any = None
        self._failed: set[str] = set()  # the marks of objects that could not be read
        self._failed_last = False  # after a failed read other objects are likely to fail as well

    def __call__(self) -> Iterator[StoredFile]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        try:
            if self._client is None:
                from google.cloud.storage import Client

                self._client = Client()
                self._client._http.hooks["response"].append(_read_refusal)  # it has no public way
            retry = DEFAULT_RETRY.with_timeout(LISTING_SECONDS)
            for blob in self._client.list_blobs(self._bucket, prefix=self._prefix, timeout=TIMEOUT_SECONDS, retry=retry):
                listed = _Listed(blob.name, blob.generation, blob.size, blob.content_encoding, blob.crc32c, blob.md5_hash)
                yield StoredFile(blob.name.rpartition("/")[2], listed.mark, partial(self._chunks, listed))
        except Exception as error:  # of Google, `requests`, `urllib3`, and others that the client does not catch
            raise FilesUnavailable(_cause(error)) from error

    def close(self) -> None:
        """Give up the client's connections."""
        if self._client is not None:
            self._client.close()

    def _chunks(self, listed: _Listed) -> Iterator[bytes]:
        """The stored bytes of an object, of the listed generation, checked against its checksum.

        Raises:
            FileUnreadable: a part could not be read or has a wrong length, or the checksum differs.
        """
        digest, expected = _digest(listed)
        start, size = 0, HEAD_BYTES
        while start < listed.size:
            end = min(start + size, listed.size)
            part = self._part(listed, start, end)
            if start == 0 and listed.encoding == "gzip" and not part.startswith(_GZIP) and len(part) != end:
                yield part  # Cloud Storage has decompressed the object: the answer is the whole object, without a checksum
                self._failed.discard(listed.mark)
                return
            if start == 0 and len(part) == listed.size:
                end = listed.size  # the server ignored the range
            if len(part) != end - start:
                raise FileUnreadable(f"{len(part)} bytes came in the place of {end - start}")
            digest.update(part)
            yield part
            start, size = end, CHUNK_BYTES
        if expected is not None and b64encode(digest.digest()).decode() != expected:
            raise FileUnreadable("its bytes have not its checksum")
        self._failed.discard(listed.mark)

    def _part(self, listed: _Listed, start: int, end: int) -> bytes:
        from google.cloud.storage.retry import DEFAULT_RETRY

        patient = listed.mark not in self._failed and not self._failed_last
        retry = DEFAULT_RETRY.with_timeout(READING_SECONDS).with_delay(initial=0.25, maximum=2.0) if patient else None
        timeout = TIMEOUT_SECONDS if patient else SHORT_TIMEOUT_SECONDS
        try:
            blob = self._client.bucket(self._bucket).blob(listed.name, generation=listed.generation)
            part: bytes = blob.download_as_bytes(start=start, end=end - 1, raw_download=True, checksum=None, timeout=timeout, retry=retry)
        except Exception as error:  # as in listing
            self._failed.add(listed.mark)
            self._failed_last = True
            raise FileUnreadable(_cause(error)) from error
        self._failed_last = False
        return part


def _read_refusal(response: Any, **_: object) -> None:
    """Read the body of a refusal, which returns its connection to the pool. The client's retry would drop both unread."""
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        _ = response.content


def _digest(listed: _Listed) -> tuple[Any, str | None]:
    """The digest for an object's checksum, and the expected checksum; `None` if the listing has none."""
    import google_crc32c

    checksum: Any = google_crc32c.Checksum
    if listed.crc32c and google_crc32c.implementation == "c":  # the Python implementation takes as long as the whole settlement
        return checksum(), listed.crc32c
    return hashlib.md5(usedforsecurity=False), listed.md5


def _cause(error: Exception) -> str:
    """The cause of a failed read, in the machine's words, without a name, address or content."""
    error = getattr(error, "cause", None) or error  # after retries, the error of the last attempt
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    status = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int) and status in {*HTTPStatus}:
        return f"{HTTPStatus(status).phrase} ({int(status)})"
    return type(error).__name__
