"""An S3 server that asks a policy before each request, and remembers which actions were asked for.

moto keeps the objects. Which action a request needs is taken from the Service Authorization Reference for Amazon S3; this is
our reading of it, not AWS itself.
"""

from __future__ import annotations

import fnmatch
import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.server import ThreadedMotoServer

# An action, its resource below `arn:aws:s3:::`, and the prefix of a listing.
Need = tuple[str, str, str | None]


@dataclass
class Rights:
    """The statements of a policy, and what was asked of them."""

    policy: dict[str, Any]
    used: set[str] = field(default_factory=set)
    denied: list[Need] = field(default_factory=list)
    # Answers this many uploads of parts with an error, so that the upload is aborted.
    failing_parts: int = 0

    def allows(self, need: Need) -> bool:
        self.used.add(need[0])
        allowed = any(_allows(statement, need) for statement in self.policy["Statement"])
        if not allowed:
            self.denied.append(need)
        return allowed


def _allows(statement: dict[str, Any], need: Need) -> bool:
    action, resource, prefix = need
    assert statement["Effect"] == "Allow", "only what is allowed is understood here"
    actions, resources = (_listed(statement[key]) for key in ("Action", "Resource"))
    condition = statement.get("Condition", {})
    assert set(condition) <= {"StringLike"} and set(condition.get("StringLike", {})) <= {"s3:prefix"}, condition
    likes = _listed(condition.get("StringLike", {}).get("s3:prefix", []))
    return (
        action in actions
        and any(fnmatch.fnmatchcase(f"arn:aws:s3:::{resource}", it) for it in resources)
        and (not condition or any(fnmatch.fnmatchcase(prefix or "", it) for it in likes))
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def needs(method: str, target: str, headers: Any, body: bytes) -> list[Need]:
    """What a request needs. The bucket is the first part of the path."""
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    file = f"{bucket}/{key}"
    if not key:
        if method == "GET":
            return [("s3:ListBucket", bucket, query.get("prefix", [""])[0])]
        if method == "POST" and "delete" in query:
            keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
            return [("s3:DeleteObject", f"{bucket}/{it}", None) for it in keys]
    elif method in ("GET", "HEAD") and not query:
        return [("s3:GetObject", file, None)]
    elif method == "PUT" and (not query or set(query) <= {"partNumber", "uploadId"}):
        source = headers.get("x-amz-copy-source")
        read = [("s3:GetObject", unquote(source).lstrip("/"), None)] if source else []
        return [*read, ("s3:PutObject", file, None)]
    elif method == "POST" and set(query) <= {"uploads", "uploadId"}:
        return [("s3:PutObject", file, None)]
    elif method == "DELETE":
        action = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
        return [(action, file, None)]
    return [(f"unknown: {method} {target}", file, None)]


@contextmanager
def s3(bucket: str, policy: dict[str, Any]) -> Iterator[tuple[str, Rights]]:
    """The URL of a server with one bucket, and the rights on it."""
    rights = Rights(policy)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.command == "PUT" and "partNumber=" in self.path and rights.failing_parts > 0:
                rights.failing_parts -= 1
                self.answer(400, {}, b"<Error><Code>InvalidRequest</Code><Message>as told</Message></Error>")
            elif all([rights.allows(need) for need in needs(self.command, self.path, self.headers, body)]):
                self.forward(body)
            else:
                self.answer(403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

        def forward(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(host, port, timeout=60)
            connection.request(self.command, self.path, body=body, headers=dict(self.headers))
            answer = connection.getresponse()
            self.answer(answer.status, dict(answer.getheaders()), answer.read())
            connection.close()

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("PUT", f"/{bucket}")
        assert connection.getresponse().status == 200
        yield f"http://127.0.0.1:{server.server_port}", rights
    finally:
        server.shutdown()
        moto.stop()
