"""A client that posts JSON to one address, many requests at a time, and survives what the server does.

    server = JsonServer(url="http://localhost:9000", seconds=5)
    (heard,) = server.post("/score", [{"text": "..."}], Score)
    heard.said  # a Score, or Refused, or None

Settings and conduct are those of every client here: deadlines, retries with growing pauses, a server given up while it
is silent, requests a minute.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from hero_rl.clients.breaker import Denials
from hero_rl.clients.engine import (
    Broke,
    Busy,
    Denied,
    HttpRequest,
    Refused,
    Session,
    Transient,
    key_from,
    plain_url,
    with_retries,
)
from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Heard", "JsonServer", "ServerState", "Unanswered"]

_logger = logging.getLogger(__name__)

Shape = TypeVar("Shape", bound=BaseModel)
Body = dict[str, Any]

_TIMES_IN_TURN = 2


class Unanswered(Refused):
    """The server gives no usable reply to this request, again and again, and replies to others in between."""


@dataclass(frozen=True)
class Heard(Generic[Shape]):
    """What came of one request.

    Attributes:
        said: the reply; `Refused` where the server does not take the request, `Unanswered` where it answers all but
            this one, None where no usable reply came.
        seconds: from its first attempt to the end of its last one; 0 where it was given up.
    """

    said: Shape | Refused | None = None
    seconds: float = 0.0


class ServerState(Session):
    """What a client knows and has open in this process.

    Attributes:
        called: what the server is, for messages.
        settings: those that may be wrong where it denies.
        replied: whether it ever replied.
        denials: since when it denies.
    """

    thread = "json-server"
    counted = ("calls", "retries", "denied", "refused", "unanswered", "unreachable")
    called: ClassVar[str] = "server"
    settings: ClassVar[str] = "url, api_key_env"

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.replied = False
        self.denials = Denials()


class JsonServer(BaseModel):
    """A server that replies to JSON with JSON.

    Safe to call from many threads. A copy, pickled or not, and a forked process open connections of their own and count
    from zero. A server that goes silent is given up as `hero_rl.clients.breaker.Breaker` has it. One that denies (401,
    403, 404) is an error before its first reply, and after it once it has denied for ten minutes and done nothing else.

    A subclass that counts or knows more declares `_state` anew, with a subclass of `ServerState`. That is the one
    private name here; all others are free for subclasses.

    Attributes:
        url: the server, with or without a trailing `/v1`; kept without. Credentials have no place in it.
        api_key_env: name of the environment variable that holds the key; None sends none.
        concurrency: requests at one time, whatever the number of calling threads.
        rpm: requests that may begin in a minute, evenly, whatever the number of calling threads, attempts after a
            failure among them; waiting is on nobody's time limit. Each process, as each rank of a training run, counts
            its own. None for any number.
        seconds: time limit of one request, from connecting to the last byte.
        retries: attempts after the first, with growing pauses in between; a server that names a pause (Retry-After) is
            given it, up to `seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(plain_url)]
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    concurrency: Annotated[int, Field(gt=0)] = 16
    rpm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 3

    _state: ServerState = PrivateAttr(default_factory=ServerState)

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made.

        `calls`: requests; `retries`: further attempts at them; `denied`: attempts that were denied; `refused`: requests
        that were refused or broke the server, each time; `unanswered`: see `post_in_turn`; `unreachable`: for the
        subclass to count, what the server gave no word on in the end.
        """
        return self._state.counts.totals

    @property
    def is_out(self) -> bool:
        """Whether the server is given up, was asked again and is still silent."""
        return _Turn(self).breaker.is_out

    def post(self, path: str, bodies: Sequence[Body], shape: type[Shape]) -> list[Heard[Shape]]:
        """What the server says to each.

        It does not take one either that breaks it (500, or a reply of over 4 MiB) in all attempts. Whether that is the
        request's doing shows in what the server says to others.

        Raises:
            ConfigError: it denies (see above), or the variable of the key is not set.
        """
        if not bodies:
            return []
        turn = _Turn(self)
        asked = turn.breaker.ask_all(lambda body, retries: turn.post(path, body, shape, retries), bodies, self.retries)
        found = turn.engine.run(asked)
        if given_up := found.count(None):
            turn.log_once("given up", "is silent, and %d requests were given up", given_up)
        return [heard or Heard() for heard in found]

    def post_in_turn(
        self,
        path: str,
        asked: Sequence[tuple[Body, Body]],
        shape: type[Shape],
        is_usable: Callable[[Shape], bool] = lambda _: True,
    ) -> list[Heard[Shape]]:
        """What the server says to requests on which it failed in company, asked one by one in turn with controls.

        A request is asked twice, once an attempt, and its control before, between and after. Where each control has its
        reply in half the time limit and the request has none, it is `Unanswered`. A control without a reply says that
        the server is out, and the rest is not asked; nor is what is left once this takes twice as long as a call of so
        many may. In all threads of the process one request at a time is asked so, beside what else is under way.

        Args:
            path: as `post`.
            asked: requests, each with its control: as long, and nobody would doubt that the server can answer it.
            shape: as `post`.
            is_usable: whether a reply is none in which the server says that it failed.

        Raises:
            ConfigError: as `post`.
        """
        if not asked:
            return []
        turn = _Turn(self)
        return turn.engine.run(turn.post_in_turn(path, asked, shape, is_usable))

    def get(self, path: str, shape: type[Shape]) -> Shape | None:
        """What the server says of itself, where nothing can be posted without it; None where it does not say.

        It is given up at once where no usable reply came. This is none of the `calls`.

        Raises:
            ConfigError: as `post`.
        """
        turn = _Turn(self)
        asked = turn.breaker.ask_all(lambda path, retries: turn.get(path, shape, retries), [path], self.retries)
        return turn.engine.run(asked)[0]

    def close(self) -> None:
        """End connections and thread, which otherwise go with the object; a later call opens new ones.

        Not for use while another thread asks.
        """
        self._state.close()

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._state = type(self._state)()  # what is known of one server may not hold for the copy's
        return copied


class _Turn:
    """One call on its way, apart from `JsonServer` so that no subclass gets in its way by a name.

    Attributes:
        state: the client's.
        engine: where requests run.
        breaker: the engine's.
    """

    def __init__(self, server: JsonServer) -> None:
        self._server = server
        self._key = key_from(server.api_key_env)
        self.state = server._state = server._state.here()
        self.engine = self.state.engine(server.concurrency, server.seconds, server.rpm)
        self.breaker = self.engine.breaker

    async def post(self, path: str, body: Body, shape: type[Shape], retries: int) -> Heard[Shape]:
        """What the server says, counted and told to the breaker."""
        # The slot is held through the pauses too: a server that cannot keep up is not asked for more.
        async with self.engine.slots:
            start = time.perf_counter()
            self.state.counts.add(calls=1)
            said = await self._said(self._request("POST", path, body), shape, retries)
            return Heard(said, time.perf_counter() - start)

    async def post_in_turn(
        self, path: str, asked: Sequence[tuple[Body, Body]], shape: type[Shape], is_usable: Callable[[Shape], bool]
    ) -> list[Heard[Shape]]:
        """See `JsonServer.post_in_turn`."""
        server, found = self._server, list[Heard[Shape]]()
        waits = _TIMES_IN_TURN * (2 + math.ceil(len(asked) / server.concurrency))
        until = time.monotonic() + waits * (server.seconds + self.engine.pace.spacing)
        for body, control in asked:
            async with self.engine.alone:
                start = time.perf_counter()
                if time.monotonic() >= until:
                    break
                try:
                    said = await self._between(path, body, control, shape, is_usable)
                except Refused:  # the control is, so nothing is known of this one
                    said = None
                except Transient:
                    break
                found.append(Heard(said, time.perf_counter() - start))
        return found + [Heard()] * (len(asked) - len(found))

    async def get(self, path: str, shape: type[Shape], retries: int) -> Shape | None:
        """What the server says, or None; it is given up where nothing usable came."""
        try:
            return await self._reply(self._request("GET", path), shape, retries)
        except (Transient, Refused) as error:
            self.log_once("unasked", "gave no usable reply: %s", error)
            if isinstance(error, Transient):
                self.breaker.trip()
            return None

    def log_once(self, what: str, message: str, *values: Any) -> None:
        """Warn of the first time that the server does so."""
        named = (self.state.called, self._server.url, *values)
        self.state.log_once(_logger, what, "the %s at %s " + message, *named)

    def _request(self, method: str, path: str, body: Body | None = None, share: float = 1.0) -> HttpRequest:
        return HttpRequest(method, self._server.url + path, body, self._key, share * self._server.seconds)

    async def _between(
        self, path: str, body: Body, control: Body, shape: type[Shape], is_usable: Callable[[Shape], bool]
    ) -> Shape | Unanswered:
        """The reply to a request, asked between controls; raises what a control raises, and `Busy`."""
        asked = self._request("POST", path, body)
        quick = self._request("POST", path, control, 0.5)
        for _ in range(_TIMES_IN_TURN):
            await self._once(quick, shape, is_usable)
            try:
                return await self._once(asked, shape, is_usable)
            except Busy:
                raise
            except (Transient, Refused):
                continue
        await self._once(quick, shape, is_usable)
        self.state.counts.add(unanswered=1)
        self.log_once("unanswered", "answers other requests and, again and again, not one")
        return Unanswered(f"{path} gives no usable reply to this request alone")

    async def _once(self, request: HttpRequest, shape: type[Shape], is_usable: Callable[[Shape], bool]) -> Shape:
        """The reply to one attempt; `Transient` where it is not usable."""
        async with self.engine.slots:
            self.state.counts.add(calls=1)
            reply = await self._attempt(request, shape)
        self.breaker.answered()
        self.state.replied = True
        if not is_usable(reply):
            raise Transient(f"{request.path} says that it failed")
        return reply

    async def _said(self, request: HttpRequest, shape: type[Shape], retries: int) -> Shape | Refused | None:
        try:
            reply = await self._reply(request, shape, retries)
        except Refused as error:
            self.breaker.answered()
            self.state.counts.add(refused=1)
            self.log_once("refused", "refused a request: %s", error)
            return error
        except Broke as error:
            self.breaker.broke()
            self.state.counts.add(refused=1)
            self.log_once("broke", "broke at a request: %s", error)
            return Refused(str(error))
        except Transient as error:
            self.breaker.failed()
            self.log_once("silent", "gave no usable reply: %s", error)
            return None
        self.breaker.answered()
        self.state.replied = True
        return reply

    async def _reply(self, request: HttpRequest, shape: type[Shape], retries: int) -> Shape:
        """The reply in the shape expected of it; `Transient` once the retries are used up."""
        return await with_retries(
            lambda: self._attempt(request, shape),
            retries=retries,
            seconds=self._server.seconds,
            before_retry=lambda: self.state.counts.add(retries=1),
            is_broken=lambda: self.breaker.is_broken,
        )

    async def _attempt(self, request: HttpRequest, shape: type[Shape]) -> Shape:
        state = self.state
        await self.engine.pace.wait()
        try:
            reply = await self.engine.fetch(request, shape)
        except Denied as error:
            state.denials.add()
            state.counts.add(denied=1)
            said = f"the {state.called} at {self._server.url} denies ({state.settings}?): {error}"
            if state.denials.last or not state.replied:
                raise ConfigError(said) from None
            raise Transient(said) from None
        except (Transient, Refused):
            state.denials.end()
            raise
        state.denials.end()
        return reply
