"""An S3 server on this machine: moto, in a process of its own.

Run as a script it serves until its input ends, and says its port first.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTING", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}
"""Variables of the environment that the server takes; it takes any."""


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Parameters
    ----------
    endpoint : str
    """

    endpoint: str

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.ask("PUT", name)
        return name

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """The URL of an object that is put there, for anybody to read."""
        self.ask("PUT", f"{bucket}/{quote(key)}", data)
        return f"s3://{bucket}/{key}"

    def uploads(self, bucket: str) -> int:
        """Uploads in parts that were begun and neither ended nor given up."""
        return len(re.findall(b"<UploadId>", self.ask("GET", f"{bucket}?uploads")))

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """The answer to a request with keys that nobody checks."""
        request = urllib.request.Request(f"{self.endpoint}/{path}", data, method=method)
        request.add_header(
            "Authorization", "AWS4-HMAC-SHA256 Credential=any/20250101/us-east-1/s3/aws4_request"
        )
        if data is not None:
            request.add_header("Content-Type", "application/octet-stream")
            request.add_header("x-amz-acl", "public-read")
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())


@contextmanager
def serving() -> Iterator[S3Server]:
    """A server that ends with the block, or with this process."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield S3Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.stdin.close()


def _serve() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *args: Any) -> None:
            pass

    moto = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def one_by_one(environ: Any, start_response: Any) -> Any:
        # moto looks and then writes; the true S3 does both at once
        with turn:
            return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, one_by_one, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
