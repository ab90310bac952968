"""What any client of an HTTP endpoint needs: deadlines, retries, back-off, a thread that survives what the server does.

    session = Session()
    engine = session.here().engine(concurrency=8, seconds=5)
    request = HttpRequest("GET", "http://localhost:8000/v1/models", seconds=5)
    models = engine.run(with_retries(lambda: engine.fetch(request, Models), retries=3, seconds=5))

Requests run in an event loop in a thread of its own, so that any thread may ask, also one that runs a loop, and so that
a request ends at its deadline wherever it hangs. Proxies and certificates are read from the environment as httpx does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from hero_rl.background import woken_by
from hero_rl.clients.breaker import Breaker
from hero_rl.clients.pace import Pace
from hero_rl.counters import Counters
from hero_rl.errors import ConfigError

if TYPE_CHECKING:  # a quarter of a second to import, so only where an endpoint is asked
    import httpx
    from tenacity import RetryCallState
    from typing_extensions import Self

__all__ = [
    "MAX_QUOTED_CHARACTERS",
    "Broke",
    "Busy",
    "Denied",
    "Engine",
    "HttpRequest",
    "Refused",
    "Session",
    "TimedOut",
    "Transient",
    "key_from",
    "plain_url",
    "quoted",
    "seconds_asked",
    "with_retries",
]

MAX_QUOTED_CHARACTERS = 300
_MAX_REPLY_BYTES = 4 * 2**20
_LONGEST_BACK_OFF = 8.0
_SECONDS_TO_SHUT_DOWN = 5.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Shape = TypeVar("Shape", bound=BaseModel)


class Transient(Exception):
    """A failure that may pass.

    Attributes:
        seconds_asked: the pause that the server asks for, 0 for none.
    """

    def __init__(self, said: str, seconds_asked: float = 0.0) -> None:
        super().__init__(said)
        self.seconds_asked = seconds_asked


class TimedOut(Transient):
    """No whole reply within the deadline."""


class Busy(Transient):
    """The server is asked too much: 429. Never the request's doing."""


class Broke(Transient):
    """The server failed at this request: 500, or a reply that is too long. The request's doing, or the server's own."""


class Refused(Exception):
    """The server will not answer this request; it may answer others."""


class Denied(Exception):
    """As things are set the server does not answer: 401, 403 or 404."""


@dataclass(frozen=True)
class HttpRequest:
    """One request.

    Attributes:
        method: GET or POST.
        url: the whole address.
        body: sent as JSON; None sends nothing.
        key: bearer token, empty for none; never in a message.
        seconds: deadline, from connecting to the last byte.
        max_bytes: a longer reply is given up.
    """

    method: str
    url: str
    body: dict[str, Any] | None = None
    key: str = field(default="", repr=False)
    seconds: float = 60.0
    max_bytes: int = _MAX_REPLY_BYTES

    @property
    def path(self) -> str:
        """What follows the host, for messages."""
        return urlsplit(self.url).path


async def with_retries(
    attempt: Callable[[], Awaitable[Result]],
    *,
    retries: int,
    seconds: float,
    before_retry: Callable[[], None] = lambda: None,
    is_broken: Callable[[], bool] = lambda: False,
) -> Result:
    """What the attempt comes to, tried again after each `Transient`; its last one once the retries are used up.

    A server that `is_broken` anyway is not tried again after a `Broke`. Pauses grow at random up to 8 s; a server that
    asks for a pause is given it, up to `seconds`.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    back_off = wait_random_exponential(multiplier=0.5, max=_LONGEST_BACK_OFF)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.seconds_asked if isinstance(error, Transient) else 0.0
        return max(back_off(state), min(asked, seconds))

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, Transient) and not (isinstance(error, Broke) and is_broken())

    retrying = AsyncRetrying(
        stop=stop_after_attempt(retries + 1),
        wait=pause,
        retry=retry_if_exception(may_pass),
        before_sleep=lambda _: before_retry(),
        reraise=True,
    )

    async def once() -> Result:  # tenacity awaits what it knows to be a coroutine function
        return await attempt()

    return await retrying(once)


def plain_url(url: str) -> str:
    """The server's address without slashes or `/v1` at its end.

    Raises:
        ValueError: it is no http address, or holds credentials, a query or a fragment.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be http://host or https://host, with a port and a path where needed")
    if "@" in parts.netloc:
        raise ValueError("must hold no credentials; api_key_env names the variable that holds the key")
    if parts.query or parts.fragment or parts.port == 0:  # reading the port checks it
        raise ValueError("must have no query, no fragment and no port 0")
    return parts.geturl().rstrip("/").removesuffix("/v1").rstrip("/")


def key_from(variable: str | None) -> str:
    """The key that an environment variable holds, empty where none is named.

    Raises:
        ConfigError: the variable is not set, or holds what is no key.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    # Checked here, since the client would quote an unfit header, key and all.
    if not key or not (key.isascii() and key.isprintable()):
        raise ConfigError(f"api_key_env: the environment variable {variable} is not set, or holds no key")
    return key


def seconds_asked(retry_after: str | None) -> float:
    """The pause that a Retry-After header asks for, which is a number of seconds or a date; 0 where it is neither."""
    if retry_after is None:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def quoted(text: bytes, key: str) -> str:
    """The start of a server's words, for a message; some servers quote the key."""
    said = text.decode("utf-8", "replace")
    if key:
        said = said.replace(key, "***")
    return ascii(said[:MAX_QUOTED_CHARACTERS])


class Session:
    """What a client knows and has open in this process; a copy is new, and no two are told apart.

    Attributes:
        thread: name of the engine's thread.
        counted: names of the totals.
        pid: the process that it belongs to.
        counts: the totals.
    """

    thread: ClassVar[str] = "endpoint"
    counted: ClassVar[tuple[str, ...]] = ()

    def __init__(self, inherited: Session | None = None) -> None:
        self.pid = os.getpid()
        self.counts = Counters(*self.counted)
        self._engine: Engine | None = None
        self._logged: set[str] = set()
        self._lock = threading.Lock()
        self._inherited = inherited  # kept, so that nothing of the parent process's is closed here

    def here(self) -> Self:
        """This one, or after a fork a new one: a fork leaves the thread behind and may leave the locks held."""
        return self if self.pid == os.getpid() else type(self)(inherited=self)

    def engine(self, concurrency: int, seconds: float, rpm: float | None = None) -> Engine:
        """The engine, started where there is none; see `Engine`."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine(self.thread, concurrency, seconds, rpm)
            return self._engine

    def close(self) -> None:
        """End connections and thread; a later call opens new ones."""
        if self.pid != os.getpid():
            return
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def log_once(self, logger: logging.Logger, what: str, message: str, *values: Any) -> None:
        """Warn of the first failure of a kind."""
        with self._lock:
            said_before = what in self._logged
            self._logged.add(what)
        if not said_before:
            logger.warning(message + " (logged once, counted always)", *values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class Engine:
    """An event loop in a thread of its own, with the client that lives in it.

    A loop rather than a thread a request, because only so a request can be ended at its deadline wherever it hangs.

    Attributes:
        slots: a semaphore of `concurrency`, for the work that runs here.
        alone: a lock, for what must not be asked beside others of its kind.
        pace: at most `rpm` requests a minute, for those who wait for their turn.
        breaker: gives the server up, for requests of at most `seconds`.
        close: ends connections and thread, which otherwise go with the object.
    """

    def __init__(self, name: str, concurrency: int, seconds: float, rpm: float | None = None) -> None:
        import httpx

        # Idle connections go before the server ends them (vLLM does after 5 s), which could cross with a request.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=concurrency, keepalive_expiry=2.0)
        self._client = httpx.AsyncClient(timeout=None, limits=limits, follow_redirects=False)
        self.slots = asyncio.Semaphore(concurrency)
        self.alone = asyncio.Lock()
        self.pace = Pace(rpm)
        self.breaker = Breaker(concurrency, seconds, self.pace.spacing)
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
        thread.start()
        self.close = weakref.finalize(self, _shut_down, self._loop, self._client, thread, os.getpid())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What the work comes to; the caller waits, and its own event loop with it.

        Raises:
            CalledOff: the caller is a `Background` that was called off.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            with woken_by(future.cancel):
                return future.result()
        finally:
            future.cancel()  # on an interrupt; a finished one cannot be cancelled

    async def fetch(self, request: HttpRequest, shape: type[Shape]) -> Shape:
        """The server's reply in the shape expected of it, by one attempt.

        Raises:
            Transient: no such reply came, or not in time (`TimedOut`), or the server failed at this request (`Broke`).
            Refused: the server does not take this request.
            Denied: the server answered 401, 403 or 404.
            ConfigError: the client cannot read the URL.
        """
        import httpx

        try:
            # One limit over everything: the client's own ones start anew with each byte that arrives.
            text = await asyncio.wait_for(self._exchange(request), request.seconds)
        except asyncio.TimeoutError:
            raise TimedOut(f"no whole reply within {request.seconds:g} s") from None
        except httpx.InvalidURL as error:
            raise ConfigError(f"url: {error}") from None
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        try:
            return shape.model_validate_json(text)
        except ValidationError:
            raise Transient(f"not what {request.path} replies with: {quoted(text, request.key)}") from None

    async def _exchange(self, request: HttpRequest) -> bytes:
        # Uncompressed, so that the cap on what is read is a cap on what is kept.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if request.key:
            headers["Authorization"] = f"Bearer {request.key}"
        async with self._client.stream(request.method, request.url, json=request.body, headers=headers) as response:
            text = bytearray()
            async for part in response.aiter_raw():
                text += part
                if len(text) > request.max_bytes:
                    raise Broke(f"a reply of more than {request.max_bytes} bytes")
            if response.status_code != 200:
                _raise_for(
                    response, f"{request.path} answered {response.status_code}: {quoted(bytes(text), request.key)}"
                )
            return bytes(text)


def _raise_for(response: httpx.Response, said: str) -> None:
    """Raise what a reply other than 200 means."""
    status = response.status_code
    if status in (401, 403, 404):
        raise Denied(said)
    if status in (408, 429) or status >= 500:
        failure = {429: Busy, 500: Broke}.get(status, Transient)
        raise failure(said, seconds_asked(response.headers.get("retry-after")))
    raise Refused(said)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _shut_down(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient, thread: threading.Thread, pid: int) -> None:
    if os.getpid() != pid:  # a fork has the objects and not the thread
        return

    async def finish() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.aclose()
        loop.stop()

    asyncio.run_coroutine_threadsafe(finish(), loop)
    if threading.current_thread() is not thread:  # garbage may be collected in any thread
        thread.join(_SECONDS_TO_SHUT_DOWN)
