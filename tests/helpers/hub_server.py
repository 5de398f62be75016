"""A server that answers the requests of `huggingface_hub` as the hub does, on the loopback address."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef" * 2 + "01234567"


class FakeHub:
    """What it holds: the files of each repository, and what it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.address = ""
        self.fails = 0
        """The status of every answer, if it is to fail."""


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """A hub for the time of a `with` block."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def json(self, value: Any, status: int = 200, **headers: str) -> None:
            self.answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

        def handle_any(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if hub.fails:
                self.json({"error": "out of order"}, hub.fails)
            elif path == "/api/validate-yaml":
                self.json({"errors": [], "warnings": []})
            elif self.command == "POST" and path == "/api/repos/create" and not self.headers.get("Authorization"):
                self.json({"error": "Invalid username or password"}, 401)
            elif self.command == "POST" and path == "/api/repos/create":
                wanted = json.loads(body)
                name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
                hub.repositories.setdefault(name, {})
                if wanted.get("private") or wanted.get("visibility") == "private":
                    hub.private.add(name)
                self.json({"url": f"{hub.address}/{name}", "id": name})
            elif found := re.fullmatch("/api/models/([^/]+/[^/]+)/preupload/main", path):
                files = [
                    {"path": each["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                    for each in json.loads(body)["files"]
                    for mode in ["lfs" if each["path"].endswith(".safetensors") else "regular"]
                ]
                self.json({"files": files})
            elif path.endswith("/info/lfs/objects/batch"):
                objects = [
                    each | {"actions": {"upload": {"href": f"{hub.address}/upload/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                self.json({"transfer": "basic", "objects": objects})
            elif self.command == "PUT" and path.startswith("/upload/"):
                oid = path.rpartition("/")[2]
                assert hashlib.sha256(body).hexdigest() == oid
                hub.large[oid] = body
                self.json({})
            elif found := re.fullmatch("/api/models/([^/]+/[^/]+)/commit/main", path):
                for line in filter(None, body.splitlines()):
                    match json.loads(line):
                        case {"key": "file", "value": {"path": name, "content": content}}:
                            hub.repositories[found[1]][name] = base64.b64decode(content)
                        case {"key": "lfsFile", "value": {"path": name, "oid": oid}}:
                            hub.repositories[found[1]][name] = hub.large[oid]
                self.json(
                    {"success": True, "commitOid": COMMIT, "commitUrl": f"{hub.address}/{found[1]}/commit/{COMMIT}"}
                )
            elif found := re.fullmatch("/api/models/([^/]+/[^/]+)(/revision/([^/]+))?", path):
                self.describe(found[1], found[3] or "main")
            elif found := re.fullmatch("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self.send_file(found[1], found[3])
            else:
                self.json({"error": "no such thing"}, 404)

        def describe(self, name: str, revision: str) -> None:
            if name not in hub.repositories:
                self.json({"error": "Repository not found"}, 401, X_Error_Code="RepoNotFound")
            elif revision not in ("main", COMMIT):
                self.json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
            else:
                siblings = [{"rfilename": key, "size": len(data)} for key, data in hub.repositories[name].items()]
                self.json({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings})

        def send_file(self, name: str, key: str) -> None:
            data = hub.repositories.get(name, {}).get(key)
            if data is None:
                self.json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
                return
            digest = hashlib.sha256(data).hexdigest()
            self.answer(200, data, ETag=f'"{digest}"', X_Repo_Commit=COMMIT)

        do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
