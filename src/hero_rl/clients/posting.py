"""A client that posts JSON to one address, many requests at a time, and survives what the server does.

    server = JsonServer(url="http://localhost:9000", seconds=5)
    (reply,) = server.post("/score", [{"text": "..."}], Score)

Settings and conduct are those of every client here: deadlines, retries with growing pauses, a server given up while it
is silent, requests a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from hero_rl.clients.breaker import Denials
from hero_rl.clients.engine import (
    Broke,
    Denied,
    Engine,
    HttpRequest,
    Refused,
    Session,
    Transient,
    key_from,
    plain_url,
    with_retries,
)
from hero_rl.errors import ConfigError

__all__ = ["JsonServer"]

_logger = logging.getLogger(__name__)

Shape = TypeVar("Shape", bound=BaseModel)


class JsonServer(BaseModel):
    """A server that replies to JSON with JSON.

    Safe to call from many threads. A copy, pickled or not, and a forked process open connections of their own and count
    from zero. A server that goes silent is given up as `hero_rl.clients.breaker.Breaker` has it. One that denies (401,
    403, 404) is an error before its first reply, and after it once it has denied for ten minutes and done nothing else.

    Attributes:
        url: the server. Credentials have no place in it.
        api_key_env: name of the environment variable that holds the key; None sends none.
        concurrency: requests at one time, whatever the number of calling threads.
        rpm: requests that may begin in a minute, evenly, of all threads together; None for any number.
        seconds: time limit of one request, from connecting to the last byte.
        retries: attempts after the first, with growing pauses in between.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    concurrency: Annotated[int, Field(gt=0)] = 16
    rpm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 3

    _state: _State = PrivateAttr(default_factory=lambda: _State())

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        return plain_url(url)

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made.

        `calls`: requests; `retries`: further attempts at them; `denied`: attempts that were denied; `refused`: requests
        that were refused or broke the server, each time; `unreachable`: requests without a reply that can be read.
        """
        return self._state.counts.totals

    def post(self, path: str, bodies: Sequence[dict[str, Any]], shape: type[Shape]) -> list[Shape | Refused | None]:
        """What the server says to each; `Refused` where it does not take one, None where no usable reply came.

        It does not take one either that breaks it (500, or a reply of over 4 MiB) in all attempts. Whether that is the
        request's doing shows in what the server says to others.

        Raises:
            ConfigError: it denies (see above), or the variable of the key is not set.
        """
        if not bodies:
            return []
        key = key_from(self.api_key_env)
        state = self._state = self._state.here()
        engine = state.engine(self.concurrency, self.seconds, self.rpm)

        async def ask(body: dict[str, Any], retries: int) -> Shape | Refused | None:
            request = HttpRequest("POST", self.url + path, body, key, self.seconds)
            async with engine.slots:
                return await self._post_one(state, engine, request, shape, retries)

        return engine.run(engine.breaker.ask_all(ask, bodies, self.retries))

    def close(self) -> None:
        """End connections and thread; a later call opens new ones."""
        self._state.close()

    def __copy__(self) -> JsonServer:
        copied = super().__copy__()
        copied._state = _State()
        return copied

    async def _post_one(
        self, state: _State, engine: Engine, request: HttpRequest, shape: type[Shape], retries: int
    ) -> Shape | Refused | None:
        state.counts.add(calls=1)
        try:
            reply = await with_retries(
                lambda: self._attempt_one(state, engine, request, shape),
                retries=retries,
                seconds=self.seconds,
                before_retry=lambda: state.counts.add(retries=1),
                is_broken=lambda: engine.breaker.is_broken,
            )
        except Refused as error:
            engine.breaker.answered()
            state.counts.add(refused=1)
            state.log_once(_logger, "refused", "the server at %s refused a request: %s", self.url, error)
            return error
        except Broke as error:
            engine.breaker.broke()
            state.counts.add(refused=1)
            state.log_once(_logger, "broke", "the server at %s broke at a request: %s", self.url, error)
            return Refused(str(error))
        except Transient as error:
            engine.breaker.failed()
            state.counts.add(unreachable=1)
            state.log_once(_logger, "unanswered", "the server at %s gave no usable reply: %s", self.url, error)
            return None
        engine.breaker.answered()
        state.replied = True
        return reply

    async def _attempt_one(self, state: _State, engine: Engine, request: HttpRequest, shape: type[Shape]) -> Shape:
        await engine.pace.wait()
        try:
            reply = await engine.fetch(request, shape)
        except Denied as error:
            state.denials.add()
            state.counts.add(denied=1)
            said = f"the server at {self.url} denies (url, api_key_env?): {error}"
            if state.denials.last or not state.replied:
                raise ConfigError(said) from None
            raise Transient(said) from None
        except (Transient, Refused):
            state.denials.end()
            raise
        state.denials.end()
        return reply


class _State(Session):
    """What a client knows and has open in this process."""

    thread = "json-server"
    counted = ("calls", "retries", "denied", "refused", "unreachable")

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.replied = False
        self.denials = Denials()
