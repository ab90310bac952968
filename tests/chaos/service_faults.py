"""Faults that a service meets, done to a real one: raw bytes for requests, and workers that are killed under load.

Each function does its fault a number of times and says what was lost. `tests/chaos/test_chaos.py` does a few, `make
chaos` all of them.
"""

import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import NamedTuple

import httpx
from faults import Outcome
from serving import HERO, Service, running

_BODY_SECONDS = 1.0
_PATIENCE = 30  # seconds; a busy machine is no hang


@contextmanager
def serving() -> Iterator[Service]:
    """`hero serve` with little patience and small bodies."""
    limits = ["--limits.body_seconds", str(_BODY_SECONDS), "--limits.body_mb", "0.25"]
    with running([*HERO, "--port", "0", "--json", *limits]) as service:
        yield service


class Raw(NamedTuple):
    """Bytes that a client sends.

    Attributes:
        name: what they are.
        sent: the bytes, in pieces that are sent one by one.
        answers: statuses of the answers that are right, one after the other; "" for an end without one.
        then: what the client does next: `wait` for the end, `close` its own side, or `reset` the connection.
    """

    name: str
    sent: list[bytes]
    answers: tuple[str, ...]
    then: str = "wait"


_BODY = json.dumps({"rollouts": [{"prompt": "p", "completion": r"\boxed{1/2}", "reference": "0.5"}]}).encode()


def _head(*lines: str, first: str = "POST /v1/signals HTTP/1.1", host: str = "Host: localhost") -> bytes:
    kept = [first, host, *lines]
    return "\r\n".join([*filter(None, kept), "", ""]).encode("latin-1")


_JSON = "Content-Type: application/json"
_SIZE = f"Content-Length: {len(_BODY)}"
_LAST = "Connection: close"


def _get(*lines: str, path: str = "/healthz", version: str = "HTTP/1.1", **options) -> bytes:
    return _head(*lines, _LAST, first=f"GET {path} {version}", **options)


def _post(*lines: str, body: bytes = _BODY, size: str | None = None, **options) -> bytes:
    return _head(_JSON, size or f"Content-Length: {len(body)}", *lines, _LAST, **options) + body


def _chunked(body: bytes, *lines: str) -> bytes:
    return _head(_JSON, "Transfer-Encoding: chunked", *lines, _LAST) + body


def _in_chunks(body: bytes, size: int = 50, extension: bytes = b"") -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces)


_GOOD_CHUNKS = _in_chunks(_BODY) + b"0\r\n\r\n"
_REFUSED = ("400",)

HEADS = [
    Raw("nothing", [], ("",), "close"),
    Raw("nothing, and waiting", [], ("",)),
    Raw("half a head", [_head()[:40]], ("", "400"), "close"),
    Raw("half a head, and waiting", [_head()[:40]], ("", "408")),
    Raw("a TLS hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], _REFUSED),
    Raw("a hundred thousand NULs", [b"\0" * 100_000], ("400", "")),
    Raw("a method alone", [b"GET\r\n\r\n"], _REFUSED),
    Raw("HTTP/0.9", [b"GET /healthz\r\n\r\n"], _REFUSED),
    Raw("HTTP/1.0", [_get(version="HTTP/1.0")], ("200",)),
    Raw("HTTP/9.9", [_get(version="HTTP/9.9")], ("200", "400", "505")),
    Raw("HTTP/2's preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ("400", "400 400", "505")),
    Raw("no host", [_get(host="")], _REFUSED),
    Raw("two hosts", [_get("Host: localhost")], _REFUSED),
    Raw("another host", [_get(host="Host: evil.example")], _REFUSED),
    Raw("a host with a user", [_get(host="Host: localhost@evil.example")], _REFUSED),
    Raw("a whole address for a path", [_post(first="POST http://localhost/v1/signals HTTP/1.1")], ("200", "404")),
    Raw("OPTIONS *", [_head(_LAST, first="OPTIONS * HTTP/1.1")], ("400", "404", "405")),
    Raw("CONNECT", [_head(_LAST, first="CONNECT evil.example:443 HTTP/1.1")], ("400", "404", "405")),
    Raw("TRACE", [_head(_LAST, first="TRACE /healthz HTTP/1.1")], ("405",)),
    Raw("a method of its own", [_head(_LAST, first="HERO /healthz HTTP/1.1")], ("400", "405")),
    Raw("a path upwards", [_get(path="/../../etc/passwd")], ("404",)),
    Raw("a path upwards, escaped", [_get(path="/v1/%2e%2e/%2e%2e/etc/passwd")], ("404",)),
    Raw("a NUL in the path", [_get(path="/healthz%00")], ("404",)),
    Raw("bytes that are no text in the path", [_get(path="/%ff%fe")], ("400", "404")),
    Raw("a path of 200 kB", [_get(path="/" + "a" * 200_000)], ("400", "404", "414", "431", "")),
    Raw("a header of 200 kB", [_get("X-Long: " + "a" * 200_000)], ("400", "431", "")),
    Raw("twenty thousand headers", [_get(*[f"X-{n}: a" for n in range(20_000)])], ("400", "431", "")),
    Raw("a header without a colon", [_get("nonsense")], _REFUSED),
    Raw("a header on two lines", [_get("X-Fold: a\r\n b")], ("200", "400")),
    Raw("a space before the colon", [_get("Content-Length : 3")], _REFUSED),
    Raw("a NUL in a header", [_get("X-Nul: a\0b")], _REFUSED),
    Raw("line ends without CR", [_get().replace(b"\r\n", b"\n")], ("200", "400")),
    Raw("line ends without LF", [_get().replace(b"\r\n", b"\r")], ("400", "")),
    Raw("byte by byte", [bytes([byte]) for byte in _get()], ("200",)),
    Raw("a hundred requests at once", [_get().replace(b"Connection: close\r\n", b"") * 99 + _get()], ("200 " * 100,)),
    Raw("Upgrade to a web socket", [_get("Upgrade: websocket", "Sec-WebSocket-Version: 13")], ("200", "400", "426")),
    Raw("Upgrade to HTTP/2", [_get("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")], ("200", "400")),
]

BODIES = [
    Raw("its own side closed after the body", [_post()], ("200",), "close"),
    Raw("reset after the body", [_post()], ("",), "reset"),
    Raw("two requests at once", [_post().replace(b"Connection: close\r\n", b"") + _post()], ("200 200",)),
    Raw("less than its length, closed", [_post(size="Content-Length: 1000")], ("", "400"), "close"),
    Raw("less than its length, and waiting", [_post(size="Content-Length: 1000")], ("408",)),
    Raw("more than its length", [_post(size="Content-Length: 2")], ("400", "422", "400 400", "422 400")),
    Raw("a length below zero", [_post(size="Content-Length: -5")], _REFUSED),
    Raw("a length with a sign", [_post(size=f"Content-Length: +{len(_BODY)}")], _REFUSED),
    Raw("a length in words", [_post(size="Content-Length: many")], _REFUSED),
    Raw("a length of forty digits", [_post(size="Content-Length: " + "9" * 40)], ("400", "413")),
    Raw("two lengths", [_post("Content-Length: 3")], _REFUSED),
    Raw("the same length twice", [_post(_SIZE)], ("200", "400")),
    Raw("a length beside chunks", [_post("Transfer-Encoding: chunked", size="Content-Length: 5")], _REFUSED),
    Raw("an encoding that is none", [_post("Transfer-Encoding: gzip", size="X-No: size")], ("400", "501")),
    Raw("chunked twice", [_post("Transfer-Encoding: chunked, chunked", size="X-No: size")], ("400", "501")),
    Raw("chunks", [_chunked(_GOOD_CHUNKS)], ("200",)),
    Raw("chunks and a trailer", [_chunked(_in_chunks(_BODY) + b"0\r\nX-Trailer: a\r\n\r\n")], ("200",)),
    Raw("a chunk's size that is no number", [_chunked(b"zz\r\nab\r\n0\r\n\r\n")], _REFUSED),
    Raw("a chunk's size below zero", [_chunked(b"-5\r\nab\r\n0\r\n\r\n")], _REFUSED),
    Raw("a chunk's size of thirty digits", [_chunked(b"f" * 30 + b"\r\nab\r\n")], ("400", "413", "408")),
    Raw("chunks with long extensions", [_chunked(_in_chunks(_BODY, extension=b";a=" + b"b" * 100_000))], ("400", "")),
    Raw("chunks that never end", [_chunked(_in_chunks(_BODY))], ("408",)),
    Raw("chunks over the limit", [_chunked(_in_chunks(b" " * 400_000, 50_000))], ("413",)),
    Raw("100-continue", [_head(_JSON, _SIZE, "Expect: 100-continue", _LAST), _BODY], ("100 200", "200")),
    Raw("another expectation", [_post("Expect: the-unexpected")], ("200", "417")),
    Raw("no type", [_head(_SIZE, _LAST) + _BODY], ("200", "415", "422")),
    Raw("another type", [_head("Content-Type: text/plain", _SIZE, _LAST) + _BODY], ("415", "422")),
    Raw("UTF-16", [_post(body=_BODY.decode().encode("utf-16"))], ("200", "400")),
    Raw("a byte order mark", [_post(body=b"\xef\xbb\xbf" + _BODY)], ("200", "400")),
    Raw("gzip", [_post("Content-Encoding: gzip", body=b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\0" * 100)], ("400", "415")),
    Raw("a form", [_post(body=b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--")], ("400", "422")),
    Raw("NaN", [_post(body=_BODY.replace(b'"0.5"', b"NaN"))], ("400", "422")),
    Raw("a number of a million digits", [_post(body=_BODY.replace(b'"0.5"', b"9" * 200_000))], ("400", "422")),
    Raw("a key twice", [_post(body=_BODY.replace(b'"prompt"', b'"prompt": "q", "prompt"'))], ("400",)),
    Raw("lists in lists, 100,000 deep", [_post(body=b"[" * 100_000 + b"]" * 100_000)], ("400", "422")),
    Raw("half of a surrogate pair", [_post(body=_BODY.replace(b'"p"', rb'"\ud800"'))], ("200", "400", "422")),
]


def raw_requests(service: Service, requests: list[Raw]) -> Outcome:
    """Send each on a connection of its own; it must be answered as it should, and a good request after it be judged."""
    outcome = Outcome("raw bytes in place of a request to the service")
    for raw in requests:
        said = _statuses(service, raw)
        right = {" ".join(each.split()) for each in raw.answers}
        if said not in right:
            outcome.add(f"{raw.name}: answered {said or 'with nothing'}")
        else:
            outcome.add(None if _judged(service, 1) == [1.0, 0.0] else f"{raw.name}: no good request after it")
    return outcome


def _statuses(service: Service, raw: Raw) -> str:
    """The statuses of all answers, until the service closes the connection."""
    with service.connect() as connection:
        connection.settimeout(_PATIENCE)
        received = bytearray()
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in raw.sent:
                connection.sendall(piece)
            if raw.then == "close":
                connection.shutdown(socket.SHUT_WR)
            elif raw.then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return ""
        try:
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionResetError:
            pass
        except TimeoutError:
            return "hung"
    return " ".join(said.decode() for said in re.findall(rb"HTTP/1\.1 (\d{3})", received))


def killed_workers(service: Service, count: int) -> Outcome:
    """Kill workers of the verifier, one after the other, while four clients ask; each gets its own answer, or null."""
    outcome = Outcome("SIGKILL of a verifier's worker under load")
    stop, killed = threading.Event(), set()

    def kill() -> None:
        while not stop.wait(0.2):
            workers = set(service.workers())
            if len(workers - killed) > 1:  # the others are there or on their way
                killed.add(service.kill(min(workers - killed)))

    thread = threading.Thread(target=kill)
    thread.start()
    answers = []
    deadline = time.monotonic() + 10 * _PATIENCE
    try:
        with ThreadPoolExecutor(4) as pool:
            numbers = itertools.count(2)
            while len(killed) < count and time.monotonic() < deadline:
                answers += pool.map(lambda number: _judged(service, number), itertools.islice(numbers, 8))
    finally:
        stop.set()
        thread.join()
    verdicts = list(zip(itertools.cycle((1.0, 0.0)), itertools.chain(*answers), strict=False))
    wrong = sum(said not in (right, None) for right, said in verdicts) + answers.count([])
    missing = sum(said is None for _, said in verdicts)
    outcome.tried = len(killed)
    outcome.survived = 0 if wrong else len(killed)
    if wrong or len(killed) < count:
        outcome.lost.append(f"{wrong} answers of {len(answers)} lost or wrong, {len(killed)} workers killed")
    elif missing:
        outcome.lost.append(f"{missing} of {len(verdicts)} rollouts got null in place of a verdict")
    return outcome


def _judged(service: Service, number: int) -> list[float | None]:
    """The verdicts of a right and of a wrong answer that only a worker can judge; nothing where there was no answer."""
    right = {"prompt": "p", "completion": rf"\boxed{{(x+{number})^2}}", "reference": f"x^2+{2 * number}x+{number**2}"}
    wrong = {**right, "completion": rf"\boxed{{(x-{number})^2}}"}
    try:
        said = service.post("/v1/signals", {"rollouts": [right, wrong]})
    except httpx.HTTPError:
        return []
    return [row["verdict"] for row in said.json()["rollouts"]] if said.status_code == 200 else []
