"""What stands before the application: who may ask, how much, how fast, and for how long.

Each request is counted, admitted or refused, and read whole within its limits before anything of it is looked at. Once
its client is gone, the work on it ends.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hero_rl.service.metrics import Metrics
from hero_rl.service.settings import Limits

__all__ = ["Guard", "refusal"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FREE = {"/healthz", "/metrics", "/openapi.json"}
_OPEN = {"/healthz"}
_GONE = 499  # of no answer, as the client is gone; for the metrics alone


class _Refused(Exception):
    """The answer to a request that goes no further."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.answer = status, detail, headers or {}


class _Gone(Exception):
    """The client has closed the connection."""


class Guard:
    """An ASGI application around another one.

    Args:
        app: what answers.
        limits: how much a client may ask for.
        token: what clients must send as a bearer token; empty for no token. Compared in constant time.
        hosts: names that a Host header may have; none for any. Without a token, a page of the web that a browser on
            this machine shows could else reach the service under a name of its own.
        metrics: counts all requests.
        paths: paths that metrics tell apart.
    """

    def __init__(
        self, app: App, limits: Limits, token: str, hosts: frozenset[str], metrics: Metrics, paths: frozenset[str]
    ) -> None:
        self._app = app
        self._limits = limits
        self._token = token.encode()
        self._hosts = hosts
        self._metrics = metrics
        self._paths = paths
        self._in_flight = 0
        self._of_peer: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), _GONE

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = next((known for known in self._paths if _is(known, scope["path"])), "other")
        try:
            await self._answer(scope, receive, noting)
        except _Refused as refused:
            if status == _GONE:  # else its client reads so slowly that the answer could not be sent in time
                await refusal(*refused.answer)(scope, receive, noting)
        except _Gone:
            pass
        finally:
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._check_who(scope["path"], headers)
        if b"content-length" in headers and b"transfer-encoding" in headers:
            # What stands before this service may have believed the other of them, and take the rest for a request.
            raise _Refused(400, "Content-Length beside Transfer-Encoding", {"connection": "close"})
        if scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limits.requests:
            raise _Refused(429, "as many requests as may be are being answered", {"retry-after": "1"})
        peer = (scope.get("client") or ("",))[0]
        if self._of_peer[peer] >= self._limits.peer_requests:
            raise _Refused(429, "as many requests as one address may have are being answered", {"retry-after": "1"})
        self._in_flight += 1
        self._of_peer[peer] += 1
        self._metrics.in_flight.inc()
        try:
            body = await self._read(headers, receive)
            await self._while_there(receive, lambda after: self._app(scope, _replayed(body, after), send))
        finally:
            self._in_flight -= 1
            self._of_peer[peer] -= 1
            if not self._of_peer[peer]:
                del self._of_peer[peer]
            self._metrics.in_flight.dec()

    def _check_who(self, path: str, headers: dict[bytes, bytes]) -> None:
        host = _name(headers.get(b"host", b"").decode("latin-1"))
        if self._hosts and host not in self._hosts:
            raise _Refused(400, f"without a token the service answers to {', '.join(sorted(self._hosts))} alone")
        if not self._token or path in _OPEN:
            return
        scheme, _, said = headers.get(b"authorization", b"").partition(b" ")
        # Compared in any case, so that a wrong scheme takes as long as a wrong token.
        right = secrets.compare_digest(said.strip(), self._token)
        if scheme.lower() != b"bearer" or not right:
            raise _Refused(401, "a bearer token is needed", {"www-authenticate": "Bearer"})

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        most = int(self._limits.body_mb * 2**20)
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said[:20]) > most:
            raise _Refused(413, f"the body is over {self._limits.body_mb:g} MiB")
        try:
            return await asyncio.wait_for(_whole(receive, most), self._limits.body_seconds)
        except asyncio.TimeoutError:
            raise _Refused(408, "the body did not arrive in time", {"connection": "close"}) from None
        except OverflowError:
            raise _Refused(413, f"the body is over {self._limits.body_mb:g} MiB") from None

    async def _while_there(self, receive: Receive, work: Callable[[Awaitable[Message]], Awaitable[None]]) -> None:
        """Run the work until it is done, its time is up, or the client is gone."""
        gone = asyncio.ensure_future(receive())
        answering = asyncio.ensure_future(work(gone))
        try:
            done, _ = await asyncio.wait(
                {gone, answering}, timeout=self._limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answering in done:
                answering.result()
            elif gone in done:
                raise _Gone
            else:
                raise _Refused(504, f"no answer within {self._limits.seconds:g} s")
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)


def refusal(status: int, detail: str, headers: dict[str, str]) -> App:
    """An application that gives one answer: `{"detail": ...}`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = json.dumps({"detail": detail}).encode()
        named = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        raw = [(name.encode(), value.encode()) for name, value in named.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return answer


async def _whole(receive: Receive, most: int) -> bytes:
    """The body.

    Raises:
        OverflowError: it is larger than that.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > most:
            raise OverflowError
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, after: Awaitable[Message]) -> Receive:
    """Give the body that was read, then what comes after it."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await asyncio.shield(asyncio.ensure_future(after))
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is(known: str, path: str) -> bool:
    """Whether a path is one that metrics know; `/v1/runs/{run}` stands for all of its kind."""
    stem, brace, _ = known.partition("{")
    return path == known or (bool(brace) and path.startswith(stem))
