"""A service from its configuration to its end: scorer, threads, socket, server.

    serve(ServiceConfig(port=8000))

It ends on SIGTERM or Ctrl-C: no further connection is taken, requests at work are answered, then workers and reward
model are put away.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hero_rl.clients.engine import key_from
from hero_rl.errors import ConfigError
from hero_rl.own import Own
from hero_rl.reward_models import AnyRewardModel, CachedRewardModelConfig, RewardModel, load_and_check
from hero_rl.scoring import Scorer
from hero_rl.service.app import endpoints
from hero_rl.service.batcher import Batcher
from hero_rl.service.guard import Guard
from hero_rl.service.metrics import Metrics
from hero_rl.service.settings import ServiceConfig
from hero_rl.verifiers import BatchVerifier, Verifier, held, in_processes

__all__ = ["application", "serve"]

_SECONDS_KEPT_ALIVE = 30  # longer than usual clients keep a connection, so that none is closed under a request
_SECONDS_TO_CLOSE = 10.0
_MERGED_ROLLOUTS = 256
_SHORTEST_TOKEN = 16


def serve(
    config: ServiceConfig,
    on_ready: Callable[[str], object] = lambda url: None,
    verifier: Verifier | BatchVerifier | None = None,
    reward_model: RewardModel | None = None,
) -> None:
    """Run a service until it is told to end.

    Args:
        config: what to serve.
        on_ready: called with its address once it listens.
        verifier: one of your own in the place of the configuration's; called from several threads at once.
        reward_model: the same; called from one thread at a time.

    Raises:
        ConfigError: the token, the reward model or the address is not to be had.
        KeyboardInterrupt: it was ended by Ctrl-C.
    """
    token = _token(config)
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(config))
        app = stack.enter_context(application(config, token, verifier, reward_model))
        stack.enter_context(_terminable())
        _Server(_uvicorn_config(app, config), on_ready).run([listening])


@contextmanager
def application(
    config: ServiceConfig,
    token: str = "",
    verifier: Verifier | BatchVerifier | None = None,
    reward_model: RewardModel | None = None,
) -> Iterator[Guard]:
    """The whole service as an ASGI application, for servers other than this module's.

    Args:
        config: what to serve.
        token: what clients must send as a bearer token; empty for no token.
        verifier: one of your own in the place of the configuration's; called from several threads at once.
        reward_model: the same; called from one thread at a time.

    Raises:
        ConfigError: the reward model cannot be loaded, or the configuration promises a token and none is given.
    """
    if config.token_env and not token:
        raise ConfigError(f"token: the configuration promises one (token_env {config.token_env}); give it")
    with ExitStack() as stack:
        threads = 1 if reward_model or _in_process(config.reward_model) else config.threads
        verifier = held(verifier or in_processes(config.verifier, config.verifier_processes), stack)
        if reward_model is None and config.reward_model is not None:
            reward_model = load_and_check(config.reward_model, stack)
        metrics = Metrics({"verifier": verifier, "reward_model": reward_model})
        merged = _MERGED_ROLLOUTS if reward_model else 1
        batcher = Batcher(Scorer(verifier, reward_model), threads, merged, metrics.batch.observe)
        stack.callback(batcher.close, _SECONDS_TO_CLOSE)
        app = endpoints(config, batcher, metrics)
        hosts = frozenset() if token else frozenset({"localhost", "127.0.0.1", "::1", config.host.lower()})
        paths = frozenset(app.openapi()["paths"]) | {"/openapi.json"}
        yield Guard(app, config.limits, token, hosts, metrics, paths)


def _in_process(reward_model: AnyRewardModel | None) -> bool:
    inner = reward_model.inner if isinstance(reward_model, CachedRewardModelConfig) else reward_model
    return inner is not None and (isinstance(inner, Own) or inner.type in ("local", "generative"))


def _token(config: ServiceConfig) -> str:
    try:
        token = key_from(config.token_env)
    except ConfigError:
        raise ConfigError(f"token_env: the environment variable {config.token_env} is not set, or no token") from None
    if token and len(token) < _SHORTEST_TOKEN:
        raise ConfigError(f"token_env: the token in {config.token_env} is shorter than {_SHORTEST_TOKEN} characters")
    return token


@contextmanager
def _listening(config: ServiceConfig) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(f"{config.host}:{config.port}: {error.strerror or error}") from None
    with listening:
        yield listening


def _uvicorn_config(app: Any, config: ServiceConfig) -> uvicorn.Config:
    limits = config.limits

    class Protocol(_Impatient):
        head_seconds = limits.body_seconds

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=_SECONDS_KEPT_ALIVE,
        timeout_graceful_shutdown=limits.drain_seconds,
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """After SIGTERM the server ends by itself; the signal that it then raises again must not end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


class _Impatient(H11Protocol):
    """HTTP/1.1 whose connections end when the head of a request takes too long, or what follows an early answer does.

    A client that closes its side after a request is answered too, if the answer does not take as long.

    Attributes:
        head_seconds: from the connection, or the first byte after an answer, to a whole head.
    """

    head_seconds = 10.0
    _clock: Any = None
    _half_closed = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._clock = self.loop.call_later(self.head_seconds, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_clock()
        elif self._clock is None:
            self._clock = self.loop.call_later(self.head_seconds, self._too_late)

    def eof_received(self) -> bool:
        """A client that has sent a whole request may be waiting for its answer still: it gets as long as a head."""
        self._half_closed = self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
        if self._half_closed:
            self.loop.call_later(self.head_seconds, self.transport.close)
        return self._half_closed

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._half_closed:
            self.transport.close()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None

    def _too_late(self) -> None:
        self._clock = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
