"""A hub in this process: the addresses of huggingface.co that fetch uses, and faults on demand."""

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ansatz.hub.web import Patience

COMMIT = "c0ffee" + 34 * "0"
PAGE = 3  # entries per page of a tree listing: small, so that tests see more than one


@dataclass
class FakeHub:
    """What it serves, what goes wrong, and what it was asked.

    Faults by path: `cut` (half of the bytes), `busy` (503), `slow down` (429 and Retry-After),
    `no range`, `corrupt` (right size), `gone` (404), `gated` (401), `late` (half a second). The
    first of a list is used up by one request; a fault in `always` stays.
    """

    files: dict = field(default_factory=dict)
    small: set = field(default_factory=set)
    faults: dict = field(default_factory=lambda: defaultdict(list))
    always: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)
    etags: bool = True
    log: list = field(default_factory=list)
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def downloads(self, path=None):
        """Requests for file contents: (path, Range, bytes sent)."""
        return [entry[1:] for entry in self.log if entry[0] == "file" and path in (None, entry[1])]

    def info(self, path):
        content = self.files[path]
        size = self.sizes.get(path, len(content))
        item = {"type": "file", "path": path, "size": size}
        if path in self.small:
            blob = b"blob %d\0" % len(content) + content
            return item | {"oid": hashlib.sha1(blob).hexdigest()}
        lfs = {"oid": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 134}
        return item | {"oid": "0" * 40, "lfs": lfs}

    def fault(self, path):
        with self.lock:
            return self.faults[path].pop(0) if self.faults[path] else self.always.get(path, "")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *args):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["paths"]
        self.hub.log.append(("paths", self.path, len(asked)))
        self.answer_json([self.hub.info(path) for path in asked if path in self.hub.files])

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        path = unquote(url.path)
        if found := re.fullmatch(r"/api/datasets/lab/cars/revision/(.+)", path):
            self.hub.log.append(("revision", path))
            known = found[1] in ("main", COMMIT)
            self.answer_json({"sha": COMMIT} if known else {}, 200 if known else 404)
        elif found := re.fullmatch(rf"/api/datasets/lab/cars/tree/{COMMIT}/?(.*)", path):
            self.hub.log.append(("tree", path))
            self.answer_tree(found[1], int(parse_qs(url.query).get("cursor", ["0"])[0]))
        elif found := re.fullmatch(rf"/datasets/lab/cars/resolve/{COMMIT}/(.+)", path):
            if found[1] in self.hub.small:
                self.answer_file(found[1])
            else:  # large files are elsewhere, and credentials must not follow
                port = self.server.server_address[1]
                self.answer(b"", 302, {"Location": f"http://localhost:{port}/cdn/{found[1]}"})
        elif path.startswith("/cdn/"):
            self.hub.log.append(("cdn authorization", self.headers.get("Authorization")))
            self.answer_file(path.removeprefix("/cdn/"))
        elif path.startswith("/plain/"):
            self.answer_file(path.removeprefix("/plain/"))
        else:
            self.answer(b"", 404)

    def answer(self, body, status=200, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, value, status=200, headers=None):
        kind = {"Content-Type": "application/json", **(headers or {})}
        self.answer(json.dumps(value).encode(), status, kind)

    def answer_tree(self, folder, cursor):
        inside = sorted(path for path in self.hub.files if path.startswith(folder and folder + "/"))
        if not inside:
            return self.answer_json({}, 404)
        page = [self.hub.info(path) for path in inside[cursor : cursor + PAGE]]
        if cursor == 0:
            page.append({"type": "directory", "path": folder, "oid": "0" * 40, "size": 0})
        more = cursor + PAGE < len(inside)
        here = f"{self.hub.address}{urlsplit(self.path).path}?recursive=true&cursor={cursor + PAGE}"
        return self.answer_json(page, headers={"Link": f'<{here}>; rel="next"'} if more else {})

    def answer_file(self, path):
        is_head = self.command == "HEAD"
        fault = "" if is_head else self.hub.fault(path)
        if fault == "late":
            time.sleep(0.5)
        refusal = {"busy": 503, "slow down": 429, "gone": 404, "gated": 401}.get(fault)
        if refusal or path not in self.hub.files:
            wait = {"Retry-After": "1"} if fault == "slow down" else {}
            self.hub.log.append(("head" if is_head else "file", path, None, 0))
            return self.answer(b"", refusal or 404, wait)
        content = self.hub.files[path]
        if fault == "corrupt":
            content = bytes([content[0] ^ 1]) + content[1:]
        return self.send_content(path, content, fault, is_head)

    def send_content(self, path, content, fault, is_head):
        asked = self.headers.get("Range")
        offset = int(asked[6:-1]) if asked and fault != "no range" else 0
        if offset >= len(content) > 0:
            return self.answer(b"", 416, {"Content-Range": f"bytes */{len(content)}"})
        headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"'} if self.hub.etags else {}
        headers |= {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(content))}
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{len(content) - 1}/{len(content)}"
        rest = content[offset:]
        sent = rest[: len(rest) // 2] if fault == "cut" else rest
        self.hub.log.append(("head" if is_head else "file", path, asked, len(sent)))
        headers["Content-Length"] = str(len(rest))
        self.close_connection = fault == "cut"
        return self.answer(sent, 206 if offset else 200, headers)


@pytest.fixture
def hub(monkeypatch):
    fake = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": fake}))
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", fake.address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def brisk():
    """The patience of the tests: as many attempts, hardly a pause."""
    return Patience(first_wait=0.001, longest_wait=0.01)
