"""File servers that share no line with the program: HTTP from the standard library, FTP from aioftp."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aioftp


@dataclass
class Web:
    """A server that gives and takes what a test says."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    """Answers instead of 200, by path."""
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Authorization header of every request."""
    taken: dict[str, bytes] = field(default_factory=dict)
    shortened_by: int = 0
    """Bytes that are promised and do not come."""
    gate: threading.Event | None = None
    """What a body waits for, after its first byte."""
    is_asked: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}{path}"


@contextmanager
def web() -> Iterator[Web]:
    site = Web()

    class Handler(BaseHTTPRequestHandler):
        def _asked(self) -> bool:
            site.asked.append((self.command, self.path, self.headers.get("Authorization")))
            site.is_asked.set()
            status = site.status.get(self.path, 200)
            if self.path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[self.path])
            elif status != 200:
                self.send_response(status)
            else:
                return True
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def do_GET(self) -> None:
            if not self._asked():
                return
            body = site.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + site.shortened_by))
            self.end_headers()
            try:
                self.wfile.write(body[:1])
                self.wfile.flush()
                if site.gate is not None:
                    site.gate.wait(10)
                self.wfile.write(body[1:])
            except OSError:
                pass  # whoever asked does not want it any more

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self._asked():
                site.taken[self.path] = body
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

        do_POST = do_PUT

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def ftp(directory: Path) -> Iterator[int]:
    """Serve a directory to user ``box`` with password ``s3:cret@x``; yields the port."""
    box = aioftp.User("box", "s3:cret@x", base_path=directory)
    server = aioftp.Server([box])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10.0)

    try:
        run(server.start("127.0.0.1", 0))
        yield server.address[1]
    finally:
        run(server.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
