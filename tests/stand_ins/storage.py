"""Cloud Storage on a port of this machine: listing and reading objects, as `STORAGE_EMULATOR_HOST` points to it in tests."""

import gzip
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zlib import crc32

import google_crc32c


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to whoever reads an object, from a byte on.

    `status`: this answer; `cut`: the connection ends in the middle; `altered`: these bytes come as those; `silent`: nothing comes for so
    many seconds.
    """

    status: int = 206
    since: int = 0
    cut: bool = False
    altered: tuple[bytes, bytes] = (b"", b"")
    silent: float = 0.0


class Storage:
    """One bucket: `objects` by name, to be changed at any time. `down`: it refuses everything. `read` is what was asked for.

    `connections` counts those that were ever opened.

    `faults` are those of single objects; `encodings` their `Content-Encoding`, of bytes that are stored so; `expands`: whatever is stored
    as gzip is sent expanded and whole, as Cloud Storage does for clients that do not take it.
    """

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.objects: dict[str, bytes] = {}
        self.encodings: dict[str, str] = {}
        self.faults: dict[str, Fault] = {}
        self.expands = False
        self.down = False
        self.read: list[tuple[str, str]] = []
        self.connections = 0
        self.address = ""

    def deliver(self, name: str, content: bytes) -> None:
        """Put a settlement file where it is looked for, below `in/`."""
        self.objects[f"in/{name}"] = content

    def generation(self, name: str) -> str:
        return str(crc32(self.objects[name]) + 1)

    def answer(self, path: str, query: dict[str, list[str]], wanted: str) -> tuple[int, bytes, Fault]:
        """The status and body for a request for a path, in a range of bytes, and what becomes of them."""
        if self.down:
            return 403, b"{}", Fault()
        if path == f"/storage/v1/b/{self.bucket}/o":
            prefix = query.get("prefix", [""])[0]
            items = [self._item(name) for name in sorted(self.objects) if name.startswith(prefix)]
            return 200, json.dumps({"kind": "storage#objects", "items": items}).encode(), Fault()
        match = re.fullmatch(rf"/download/storage/v1/b/{self.bucket}/o/(.+)", path)
        name = unquote(match[1]) if match else ""
        if name not in self.objects or query.get("generation", [self.generation(name)])[0] != self.generation(name):
            return 404, b"no such object", Fault()
        self.read.append((name, wanted))
        first, last = (int(text) for text in wanted.removeprefix("bytes=").split("-"))
        fault = self.faults.get(name, Fault())
        if last < fault.since:
            fault = Fault()
        if fault.status != 206:
            return fault.status, b"" if fault.status == 304 else b"no", fault
        if self.expands and name in self.encodings:
            return 200, gzip.decompress(self.objects[name]), fault
        return 206, self.objects[name][first : last + 1], fault

    def _item(self, name: str) -> dict[str, Any]:
        content = self.objects[name]
        encoding = {"contentEncoding": self.encodings[name]} if name in self.encodings else {}
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": self.bucket,
            "generation": self.generation(name),
            "size": str(len(content)),
            "crc32c": b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode(),
            "md5Hash": b64encode(md5(content, usedforsecurity=False).digest()).decode(),
            **encoding,
        }


@contextmanager
def storage(bucket: str) -> Iterator[Storage]:
    """The service, at `address` (`http://host:port`) for as long as the context lasts."""
    service = Storage(bucket)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            service.connections += 1

        def do_GET(self) -> None:
            url, wanted = urlsplit(self.path), self.headers.get("Range", "")
            status, body, fault = service.answer(url.path, parse_qs(url.query), wanted)
            time.sleep(fault.silent)
            if all(fault.altered):
                body = body.replace(*fault.altered)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if url.path.startswith("/storage") else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            name = unquote(url.path.rpartition("/o/")[2])
            if name in service.encodings and status == 206:
                self.send_header("Content-Encoding", service.encodings[name])
            if name in service.encodings and status in (200, 206):
                self.send_header("X-Goog-Stored-Content-Encoding", service.encodings[name])
            if status == 206:
                whole = len(service.objects[name])
                first = wanted.removeprefix("bytes=").partition("-")[0]
                self.send_header("Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{whole}")
            self.end_headers()
            if fault.cut:
                self.close_connection = True
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests read `read`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # whoever waits no longer hangs up
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
