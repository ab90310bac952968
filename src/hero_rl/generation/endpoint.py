"""Texts from an endpoint that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, OpenAI.

    generator = OpenAIGeneratorConfig(url="http://localhost:8000").build(Sampling(temperature=0.6))
    texts = {made.key: made.text for made in generator.generate(requests)}

As many requests as `concurrency` are under way at all times; each has the seed that its caller gave it. vLLM draws by
that seed, so that order and company change a completion only where the last bits of a logit do; what other servers make
of it is theirs to say.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hero_rl.clients.engine import (
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
from hero_rl.clients.openai import Choice, Completions, Models, completions_path, options_besides
from hero_rl.errors import ConfigError, GenerationError
from hero_rl.files.rows import Text
from hero_rl.generation.base import Generated, GenerationRequest, Sampling
from hero_rl.settings import Block

__all__ = ["OpenAIGenerator", "OpenAIGeneratorConfig"]

_logger = logging.getLogger(__name__)

_OURS = {"model", "messages", "prompt", "stream", "n", "stop"}
_DRAWN_BY = {"temperature", "top_p", "max_tokens"}
_SET_ELSEWHERE = _DRAWN_BY | {"seed"}  # a request may do without them, but not have others

# What servers call the two regular ends of a text, and the ends that leave none.
_ENDS = {"eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "max_tokens": "length", None: "unknown"}
_NO_TEXT = {"content_filter", "tool_calls", "function_call", "error"}

_FEW = 8


class OpenAIGeneratorConfig(Block):
    """An endpoint, and how it is asked.

    Attributes:
        url: the server, with or without a trailing `/v1`; kept without. Credentials have no place in it.
        model: its name at the server; None asks /v1/models, which must then list one only.
        api_key_env: name of the environment variable that holds the key; None sends none.
        chat: ask at /v1/chat/completions, a text as a user's message, so that the model's chat template applies; else
            at /v1/completions, the text as it stands.
        concurrency: requests at one time.
        seconds: time limit of one request, from connecting to the last token; a server from which nothing came for
            twice as long is given up.
        retries: attempts after the first, with growing pauses in between; a server that names a pause (Retry-After) is
            given it, up to `seconds`.
        extra_body: added to each request, such as `{"top_k": 20}`. A None leaves an option out, for servers that refuse
            it: `{"max_tokens": null, "max_completion_tokens": 8192}`; or die of it, as vLLM on a CPU does of a seed
            (`{"seed": null}`: completions then differ from call to call).
    """

    type: Literal["openai"] = "openai"
    url: str
    model: Annotated[str, Field(min_length=1)] | None = None
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    chat: bool = True
    concurrency: Annotated[int, Field(gt=0)] = 64
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    retries: Annotated[int, Field(ge=0)] = 3
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        return plain_url(url)

    @field_validator("extra_body")
    @classmethod
    def _options_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        drawn = {name for name in _SET_ELSEWHERE & body.keys() if body[name] is not None}
        return options_besides(_OURS | drawn, body)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that the texts depend on: not where the server stands, nor how often it is asked."""
        return self.model_dump(mode="json", include={"type", "model", "chat", "extra_body"})

    def build(self, sampling: Sampling) -> OpenAIGenerator:
        """A generator; nothing is asked yet."""
        return OpenAIGenerator(self, sampling)


class OpenAIGenerator:
    """Asks the endpoint; see `hero_rl.generation.base.Generator`.

    A request that the server refuses (a prompt too long for it), or that failed in all its attempts, is a failure and
    the others go on. A server that refuses everything, denies (401, 403, 404) before its first reply, or names no model
    is a `ConfigError`; one that has gone silent a `GenerationError`: as many requests in a row as run at one time
    (eight at least) failed, or nothing came for `2 * seconds`.

    Attributes:
        config: the settings.
        sampling: how tokens are drawn.
    """

    def __init__(self, config: OpenAIGeneratorConfig, sampling: Sampling) -> None:
        self.config = config
        self.sampling = sampling
        self._session = _Session()

    @property
    def model(self) -> str:
        """The name that the server knows the model by; asks the server where the settings do not say."""
        turn = self._turn()
        return turn.engine.run(self._model_name(turn))

    @property
    def counters(self) -> dict[str, float]:
        """Totals since the object was made.

        `calls`: requests that were answered; `retries`: further attempts; `refused`, `unanswered`: those without a
        text; `prompt_tokens`, `completion_tokens`: as the server counts them.
        """
        return self._session.counts.totals

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generated]:
        """One result a request, in the order in which the server ends them."""
        turn, queue = self._turn(), iter(requests)
        first = list(islice(queue, self.config.concurrency))
        if not first:
            return
        turn.engine.run(self._model_name(turn))
        try:
            fresh = first
            while fresh or turn.under_way:
                yield from turn.engine.run(self._next(turn, fresh))
                self._refuse_silence(turn)
                fresh = list(islice(queue, self.config.concurrency - len(turn.under_way)))
        finally:
            turn.engine.run(_cancelled(turn.under_way))

    def close(self) -> None:
        """End connections and thread; a later call opens new ones."""
        self._session.close()

    def __enter__(self) -> OpenAIGenerator:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _turn(self) -> _Turn:
        session = self._session = self._session.here()
        engine = session.engine(self.config.concurrency, self.config.seconds)
        return _Turn(session, engine, key_from(self.config.api_key_env))

    def _refuse_silence(self, turn: _Turn) -> None:
        if turn.engine.breaker.open:
            raise GenerationError(f"the server at {self.config.url} is gone: {turn.session.said}")

    async def _next(self, turn: _Turn, fresh: Sequence[GenerationRequest]) -> list[Generated]:
        """Send some requests; what came of those under way that end next."""
        if not turn.under_way:
            turn.answered_at = time.monotonic()
        turn.under_way |= {asyncio.ensure_future(self._ask(turn, request)) for request in fresh}
        silent_at = turn.answered_at + 2 * self.config.seconds
        left = max(0.0, silent_at - time.monotonic())
        done, _ = await asyncio.wait(turn.under_way, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise GenerationError(f"the server at {self.config.url} said nothing for {2 * self.config.seconds:g} s")
        errors = [error for task in done if (error := task.exception())]
        good = {task for task in done if task.exception() is None}
        if errors and not good:
            raise errors[0]
        turn.under_way -= good  # an error waits for the next call, so that no text is lost
        return [task.result() for task in good]

    async def _ask(self, turn: _Turn, request: GenerationRequest) -> Generated:
        path = completions_path(self.config.chat)
        async with turn.engine.slots:
            start = time.monotonic()
            try:
                reply = await self._fetch(turn, "POST", path, self._body(turn, request), Completions)
            except (Transient, Refused) as error:
                return self._failed(turn, request, error)
        turn.answered()
        turn.session.counts.add(calls=1, **{kind: reply.tokens(kind) or 0 for kind in _TOKENS})
        choice = reply.choices[0]
        text = _whole_text(choice)
        if choice.finish_reason in _NO_TEXT or text is None:
            return Generated(request.key, None, failure=f"the server ended it by {choice.finish_reason!r}")
        end = _ENDS.get(choice.finish_reason, choice.finish_reason)
        return Generated(request.key, text, end, reply.tokens(_TOKENS[1]), time.monotonic() - start)

    def _failed(self, turn: _Turn, request: GenerationRequest, error: Transient | Refused) -> Generated:
        session = turn.session
        session.said = str(error)
        if isinstance(error, Transient):
            turn.engine.breaker.failed()
            session.counts.add(unanswered=1)
        else:
            turn.answered_at = time.monotonic()
            session.counts.add(refused=1)
            counts = session.counts.totals
            if counts["refused"] >= _FEW and not counts["calls"]:
                raise ConfigError(f"the server at {self.config.url} refuses every request: {error}")
        session.log_once(
            _logger, type(error).__name__, "the server at %s gave no text: %s", self.config.url, session.said
        )
        return Generated(request.key, None, failure=session.said)

    def _body(self, turn: _Turn, request: GenerationRequest) -> dict[str, Any]:
        drawn = self.sampling.model_dump(include=_DRAWN_BY)
        stop = {"stop": list(self.sampling.stop)} if self.sampling.stop else {}
        body = {"model": turn.session.model, **drawn, **stop, "seed": request.seed, **self.config.extra_body}
        body |= _asked(request.prompt, self.config.chat)
        return {option: value for option, value in body.items() if value is not None}

    async def _model_name(self, turn: _Turn) -> str:
        if turn.session.model is None:
            turn.session.model = self.config.model or await self._listed_model(turn)
        return turn.session.model

    async def _listed_model(self, turn: _Turn) -> str:
        try:
            listed = await self._fetch(turn, "GET", "/v1/models", None, Models)
        except (Transient, Refused) as error:
            raise GenerationError(f"the server at {self.config.url} gave no list of its models: {error}") from None
        return listed.only("generator.model", f"the server at {self.config.url}")

    async def _fetch(self, turn: _Turn, method: str, path: str, body: dict[str, Any] | None, shape: Any) -> Any:
        """The server's reply in the shape expected of it; `Transient` once the retries are used up."""
        request = HttpRequest(method, self.config.url + path, body, turn.key, self.config.seconds)

        async def attempt() -> Any:
            try:
                reply = await turn.engine.fetch(request, shape)
            except Denied as error:
                said = f"the server at {self.config.url} denies (url, model, chat, api_key_env?): {error}"
                if not turn.session.counts.totals["calls"]:
                    raise ConfigError(said) from None
                raise Transient(said) from None
            if isinstance(reply, Completions) and reply.choices[0].finish_reason == "abort":
                raise Transient("the server broke the completion off")
            return reply

        return await with_retries(
            attempt,
            retries=self.config.retries,
            seconds=self.config.seconds,
            before_retry=lambda: turn.session.counts.add(retries=1),
        )


def _asked(prompt: Text, chat: bool) -> dict[str, Any]:
    """The part of a request that holds the prompt."""
    # Half a surrogate pair cannot be sent.
    sendable = json.loads(json.dumps(prompt, ensure_ascii=False).encode("utf-8", "replace"))
    if chat:
        return {"messages": [{"role": "user", "content": sendable}] if isinstance(sendable, str) else sendable}
    if not isinstance(sendable, str):
        raise ConfigError("generator.chat: a prompt of chat messages needs it on")
    return {"prompt": sendable}


def _whole_text(choice: Choice) -> str | None:
    """All that the model wrote, its thoughts as it wrote them; None where the server gives no text."""
    content, cut_off = choice.content, choice.finish_reason == "length"
    thought = choice.message and choice.message.thought
    if thought and (content or not cut_off):
        return f"<think>{thought}</think>{content or ''}"
    if thought:
        return f"<think>{thought}"
    return "" if content is None and cut_off else content


async def _cancelled(tasks: set[asyncio.Task[Generated]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


_TOKENS = ("prompt_tokens", "completion_tokens")


class _Session(Session):
    """What a generator knows and has open in this process."""

    thread = "generator"
    counted = ("calls", "retries", "refused", "unanswered", *_TOKENS)

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.model: str | None = None
        self.said = "nothing"


@dataclass
class _Turn:
    """One call on its way.

    Attributes:
        session: the generator's.
        engine: where requests run.
        key: the server's, empty for none.
        answered_at: when the server last answered.
        under_way: requests that were sent.
    """

    session: _Session
    engine: Engine
    key: str
    answered_at: float = 0.0
    under_way: set[asyncio.Task[Generated]] = field(default_factory=set)

    def answered(self) -> None:
        """The server gave a text."""
        self.engine.breaker.answered()
        self.answered_at = time.monotonic()
