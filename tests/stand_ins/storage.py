"""Cloud Storage on a port of this machine: listing and reading objects, as `STORAGE_EMULATOR_HOST` points to it in tests."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Storage:
    """One bucket: `objects` by name, to be changed at any time. `down`: it refuses everything. `read` is what was asked for."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.objects: dict[str, bytes] = {}
        self.down = False
        self.read: list[tuple[str, str]] = []
        self.address = ""

    def deliver(self, name: str, content: bytes) -> None:
        """Put a settlement file where it is looked for, below `in/`."""
        self.objects[f"in/{name}"] = content

    def generation(self, name: str) -> str:
        return str(abs(hash(self.objects[name])) + 1)

    def answer(self, path: str, query: dict[str, list[str]], wanted: str) -> tuple[int, bytes]:
        """The status and body for a request for a path, in a range of bytes."""
        if self.down:
            return 403, b"{}"
        if path == f"/storage/v1/b/{self.bucket}/o":
            prefix = query.get("prefix", [""])[0]
            items = [self._item(name) for name in sorted(self.objects) if name.startswith(prefix)]
            return 200, json.dumps({"kind": "storage#objects", "items": items}).encode()
        match = re.fullmatch(rf"/download/storage/v1/b/{self.bucket}/o/(.+)", path)
        name = unquote(match[1]) if match else ""
        if name not in self.objects or query.get("generation", [self.generation(name)])[0] != self.generation(name):
            return 404, b"no such object"
        self.read.append((name, wanted))
        first, last = (int(text) for text in wanted.removeprefix("bytes=").split("-"))
        return 206, self.objects[name][first : last + 1]

    def _item(self, name: str) -> dict[str, str]:
        content = self.objects[name]
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": self.bucket,
            "generation": self.generation(name),
            "size": str(len(content)),
        }


@contextmanager
def storage(bucket: str) -> Iterator[Storage]:
    """The service, at `address` (`http://host:port`) for as long as the context lasts."""
    service = Storage(bucket)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url, wanted = urlsplit(self.path), self.headers.get("Range", "")
            status, body = service.answer(url.path, parse_qs(url.query), wanted)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if url.path.startswith("/storage") else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            if status == 206:
                whole = len(service.objects[unquote(url.path.rpartition("/o/")[2])])
                first = wanted.removeprefix("bytes=").partition("-")[0]
                self.send_header("Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{whole}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests read `read`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
