"""A reward model behind HTTP: one or several servers of vLLM or SGLang with the same one.

    reward_model = RemoteRewardModelConfig(urls="http://localhost:8000", tokenizer="nvidia/AceMath-7B-RM").load()
    reward_model.check()  # raw logits? one label? the same on every server?
    scores = reward_model.score(conversations)

Conversations are rendered and tokenised here, by the reward model's own tokenizer as `LocalRewardModel` does it, and
travel as token ids: no server adds a second beginning-of-sequence token or reads a control token that a completion
spells. What could not be scored is NaN, and counted; a failure is never a 0.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from hero_rl.endpoints import (
    Denied,
    Engine,
    Refused,
    Request,
    Session,
    TimedOut,
    Transient,
    key_from,
    plain_url,
    with_retries,
)
from hero_rl.errors import ConfigError
from hero_rl.reward_models.base import Conversation, Scores
from hero_rl.reward_models.rendering import Renderer, Tokens, own_limit

__all__ = ["RemoteRewardModel", "RemoteRewardModelConfig"]

_logger = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 64 * 2**20  # a reply of /pooling may hold a number for each token
_SHORTEST_REST = 0.5
_LONGEST_REST = 30.0

# What any reward model tells apart: a good answer, a wrong one, none, and nonsense.
_PROBES: list[Conversation] = [
    [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    for asked, said in (
        ("What is 2 + 2?", "2 + 2 = 4."),
        ("What is 2 + 2?", "2 + 2 = 5, and that is my final answer."),
        ("Why is the sky blue?", "Molecules of the air scatter short waves of light more than long ones."),
        ("Name the capital of France.", "qwer asdf zxcv qwer qwer qwer"),
    )
]

# None is how some servers spell NaN.
_Number = Annotated[float, Strict()] | None


class _Classified(BaseModel):
    index: int
    probs: list[_Number]

    def values(self, tokens: int) -> list[_Number]:
        return self.probs


class _Pooled(BaseModel):
    index: int
    data: list[list[_Number]] | list[_Number]

    def values(self, tokens: int) -> list[_Number]:
        """Those of the last token, where each token has its own."""
        rows = [row for row in self.data if isinstance(row, list)]
        if not rows:
            return [value for value in self.data if not isinstance(value, list)]
        if len(rows) != tokens:
            raise Transient(f"{len(rows)} rows of numbers for {tokens} tokens")
        return rows[-1]


class _Embedded(BaseModel):
    index: int
    embedding: list[_Number]

    def values(self, tokens: int) -> list[_Number]:
        return self.embedding


class _ClassifyReply(BaseModel):
    data: list[_Classified]


class _PoolingReply(BaseModel):
    data: list[_Pooled]


class _EmbeddingsReply(BaseModel):
    data: list[_Embedded]


@dataclass(frozen=True)
class _Protocol:
    """How a kind of server is asked.

    Attributes:
        path: of the endpoint.
        options: of the body, next to `input` and `model`.
        reply: its shape.
        remedy: what to do about scores that are no logits.
    """

    path: str
    options: dict[str, Any]
    reply: type[_ClassifyReply] | type[_PoolingReply] | type[_EmbeddingsReply]
    remedy: str


_VLLM_REMEDY = (
    "the server ignores `use_activation: false`, which each request carries: use vLLM 0.15 or later, or start it with "
    "`--pooler-config '{\"use_activation\": false}'`"
)
_PROTOCOLS = {
    "vllm_classify": _Protocol("/classify", {"use_activation": False}, _ClassifyReply, _VLLM_REMEDY),
    "vllm_pooling": _Protocol("/pooling", {"use_activation": False}, _PoolingReply, _VLLM_REMEDY),
    "sglang_embeddings": _Protocol(
        "/v1/embeddings",
        {"encoding_format": "float"},
        _EmbeddingsReply,
        "the server squeezes or normalises what the model's head gives: serve a checkpoint of a class named "
        "*ForSequenceClassification or *ForRewardModel with `--is-embedding`",
    ),
}


class RemoteRewardModelConfig(BaseModel):
    """Where the servers of a reward model are and how they are asked.

    Protocols, each of which takes lists of token ids and leaves out the chat template for them:

    - `vllm_classify`: POST /classify with `input` and `use_activation: false`; a score is `data[i].probs[0]`. For
      one-label sequence classifiers. Token ids from vLLM 0.15 on (docs.vllm.ai/en/v0.15.0/examples/pooling/classify);
      0.13 takes text only. The switch was called `softmax`, then `activation`: 0.13 still takes all three, 0.16 only
      `use_activation` (docs.vllm.ai/en/v0.13.0 and v0.16.0, api/vllm/entrypoints/pooling/classify/protocol). The
      server's chat template is for `messages`, one conversation a request, and for no `input`.
    - `vllm_pooling`: POST /pooling with the same body; a score is `data[i].data`, or the last of its rows where the
      model gives each token one (Qwen2ForRewardModel, InternLM2ForRewardModel). vllm/entrypoints/pooling/pooling/
      protocol.py of vLLM 0.16. No `task` is sent: since 0.21 the server has one, set by `--pooler-config.task`.
    - `sglang_embeddings`: POST /v1/embeddings of a server with `--is-embedding`; a score is `data[i].embedding[0]`
      (docs.sglang.io/docs/supported-models/reward_models, python/sglang/srt/entrypoints/openai/serving_embedding.py).
      Not /v1/classify, whose softmax over one label is 1 for every text (serving_classify.py there).

    Attributes:
        urls: one server or several that serve the same model, each with or without a trailing `/v1`; kept without.
            Credentials have no place in them.
        tokenizer: folder or name on the Hugging Face hub of the reward model's tokenizer with its chat template; the
            limit on tokens is that of the model's configuration next to it, if there is one.
        revision: branch, tag or commit on the hub.
        trust_remote_code: run Python code that comes with the tokenizer. Off unless you say so.
        protocol: how the servers are asked.
        model: its name at the servers; None is the one that they serve.
        api_key_env: name of the environment variable that holds the key; None sends none.
        max_tokens: a longer conversation loses its middle; None is the model's own limit. Set it to the servers'
            (vLLM's `--max-model-len`) where that is lower, since they refuse longer ones.
        batch_size: conversations in one request.
        concurrency: requests at one time to each URL, whatever the number of calling threads.
        seconds: time limit of one request, from connecting to the last byte.
        retries: attempts after the first, on another URL where one is ready, with pauses of up to 8 s in between; a
            server that is back within them has cost nothing. A server that names a pause (Retry-After) is given it, up
            to `seconds`.
        labels: numbers that the model gives a text; another count is refused.
        label: which of them is the score, from 0.
        tolerance: how far two servers' scores of one text may be apart, in logits, and relative above 1.
        within_unit_interval: this model's raw logits do lie between 0 and 1, where scores like that are else taken for
            probabilities and refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["remote"] = "remote"
    urls: Annotated[list[str], Field(min_length=1)]
    tokenizer: str
    revision: str | None = None
    trust_remote_code: bool = False
    protocol: Literal["vllm_classify", "vllm_pooling", "sglang_embeddings"] = "vllm_classify"
    model: Annotated[str, Field(min_length=1)] | None = None
    api_key_env: Annotated[str, Field(min_length=1)] | None = None
    max_tokens: Annotated[int, Field(gt=1)] | None = None
    batch_size: Annotated[int, Field(gt=0)] = 16
    concurrency: Annotated[int, Field(gt=0)] = 8
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 6
    labels: Annotated[int, Field(gt=0)] = 1
    label: Annotated[int, Field(ge=0)] = 0
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    within_unit_interval: bool = False

    @field_validator("urls", mode="before")
    @classmethod
    def _one_or_many(cls, urls: Any) -> Any:
        return [urls] if isinstance(urls, str) else urls

    @field_validator("urls")
    @classmethod
    def _plain_urls(cls, urls: list[str]) -> list[str]:
        plain = [plain_url(url) for url in urls]
        if len(set(plain)) < len(plain):
            raise ValueError("must differ from each other")
        return plain

    @model_validator(mode="after")
    def _label_is_one_of_them(self) -> RemoteRewardModelConfig:
        if self.label >= self.labels:
            raise ValueError(f"label is {self.label} of {self.labels}, counted from 0")
        return self

    def load(self) -> RemoteRewardModel:
        """Load the tokenizer; the servers are first asked by `check` or `score`."""
        from transformers import AutoConfig, AutoTokenizer

        source = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        tokenizer = AutoTokenizer.from_pretrained(self.tokenizer, **source)
        try:
            model_config = AutoConfig.from_pretrained(self.tokenizer, **source)
        except (OSError, ValueError):  # a tokenizer without a model, or with one that transformers does not know
            model_config = None
        return RemoteRewardModel(self, tokenizer, max_tokens=self.max_tokens or own_limit(model_config, tokenizer))


class RemoteRewardModel:
    """Scores conversations by the servers of one reward model.

    Requests go to the URL with the least to do. One that fails rests for half a second, twice as long with each further
    failure up to 30 s; then, as before its first request, a few fixed texts are scored on it. It takes requests only if
    that works and the scores are raw logits and the same as elsewhere. Where all rest they are asked nonetheless.

    A request that a server refuses (400, 413, 422) is halved until the conversation at fault is alone. Once as many
    requests in a row as run at a time (eight at least) got no answer in all their attempts, the rest of the batch is
    NaN. A request takes at most `2 * (retries + 1) * seconds` plus the pauses.

    Safe to call from many threads, and from a thread that runs an event loop, which the call then blocks. A pickled
    copy and a forked process open connections of their own and count from zero. Proxies and certificates are read from
    the environment as httpx does it: where HTTP_PROXY is set, exempt local servers by NO_PROXY.

    Attributes:
        config: the settings.
        tokenizer: the reward model's.
        max_tokens: the longest sequence that is sent; None: no limit is known.
    """

    def __init__(self, config: RemoteRewardModelConfig, tokenizer: Any, *, max_tokens: int | None = None) -> None:
        self.config = config
        self._renderer = Renderer(tokenizer, max_tokens)
        self._state = _State()

    @property
    def tokenizer(self) -> Any:
        """The reward model's."""
        return self._renderer.tokenizer

    @property
    def max_tokens(self) -> int | None:
        """The longest sequence that is sent."""
        return self._renderer.max_tokens

    @property
    def counters(self) -> Mapping[str, int]:
        """Totals since the object was made.

        Rows: `missing` (NaN for any reason), and of these `nonfinite` (the server's number was NaN or infinite) and
        `unrenderable` (the chat template failed, or nothing came out); `truncated`. Requests: `timeouts` (attempts
        without a whole reply in time), `retries` (further attempts), `failed_requests` (those that brought no scores).
        """
        return {name: int(total) for name, total in self._state.counts.totals.items()}

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Raw logits (B,), float32 on the CPU, in input order; NaN for what could not be scored.

        Raises:
            ConfigError: no score can ever come, or none that could be trusted; see `check`.
        """
        turn = self._turn()
        with turn.state.tokenizing:
            sequences, truncated = self._renderer.tokenize(conversations)
        rows = [row for row, sequence in enumerate(sequences) if sequence]
        scores = torch.full((len(sequences),), float("nan"))
        if rows:
            found = turn.engine.run(self._score_all(turn, [sequences[row] for row in rows]))
            given = torch.tensor([math.nan if score is None else score for score in found], dtype=torch.float32)
            scores[rows] = given.where(given.isfinite(), torch.nan)
            unasked = sum(score is None for score in found)
            turn.state.counts.add(nonfinite=int(scores[rows].isnan().sum()) - unasked)
        turn.state.counts.add(
            missing=int(scores.isnan().sum()), truncated=truncated, unrenderable=len(sequences) - len(rows)
        )
        return scores

    def check(self) -> None:
        """Score a few fixed texts on every URL; for the start of a run, where `score` would do it for the first batch.

        Raises:
            ConfigError: a server does not answer, answers 401, 403 or 404, gives another number of labels than
                `labels`, scores that all lie between 0 and 1 or are all the same, or other scores than another server.
                The message names the URL and what to do.
        """
        turn = self._turn()
        turn.engine.run(self._check_all(turn))

    def close(self) -> None:
        """End connections and thread, which otherwise go with the object; a later call opens new ones.

        Not for use while another thread asks.
        """
        self._state.close()

    def _turn(self) -> _Turn:
        key = key_from(self.config.api_key_env)
        state = self._state = self._state.here()
        pool = state.pool(self.config)
        return _Turn(state, pool.engine, pool, key)

    async def _score_all(self, turn: _Turn, sequences: list[Tokens]) -> list[float | None]:
        if not turn.pool.greeted:
            await _all(self._greet(turn, place) for place in turn.pool.places)
            turn.pool.greeted = True
        size = self.config.batch_size
        batches = [sequences[start : start + size] for start in range(0, len(sequences), size)]
        return [score for scores in await _all(self._ask(turn, batch) for batch in batches) for score in scores]

    async def _ask(self, turn: _Turn, sequences: list[Tokens]) -> list[float | None]:
        """The scores of one request, None where none came."""
        counts = turn.state.counts
        # The slot is held through the pauses too: servers that cannot keep up are not asked for more.
        async with turn.engine.slots:
            if turn.silent >= max(turn.pool.concurrency, 8):
                counts.add(failed_requests=1)
                return [None] * len(sequences)
            try:
                found = await with_retries(
                    lambda: self._attempt(turn, sequences),
                    retries=self.config.retries,
                    seconds=self.config.seconds,
                    before_retry=lambda: counts.add(retries=1),
                )
                turn.silent = 0
                return [*found]
            except Transient as error:
                turn.silent += 1
                counts.add(failed_requests=1)
                turn.state.log_once(_logger, "unanswered", "a request for scores got no answer: %s", error)
                return [None] * len(sequences)
            except Refused as error:
                turn.silent = 0
                if len(sequences) == 1:
                    counts.add(failed_requests=1)
                    turn.state.log_once(_logger, "refused", "the reward model refuses a conversation: %s", error)
                    return [None]
        half = len(sequences) // 2
        return [*await self._ask(turn, sequences[:half]), *await self._ask(turn, sequences[half:])]

    async def _attempt(self, turn: _Turn, sequences: list[Tokens]) -> list[float]:
        async with turn.pool.place() as place:
            try:
                await self._probe(turn, place)
                found = await self._fetch(turn, place.url, sequences)
            except Transient as error:
                place.rest(min(error.seconds_asked, self.config.seconds))
                said = "the reward model at %s fails and is given a rest: %s"
                turn.state.log_once(_logger, place.url, said, place.url, error)
                if not turn.pool.best().rests:
                    error.seconds_asked = 0.0  # another URL need not wait for this one
                raise
            place.failures = 0
            return found

    async def _fetch(self, turn: _Turn, url: str, sequences: list[Tokens]) -> list[float]:
        """The scores by one attempt, NaN where the server has none."""
        protocol = _PROTOCOLS[self.config.protocol]
        body: dict[str, Any] = {"input": sequences, **protocol.options}
        if self.config.model is not None:
            body["model"] = self.config.model
        request = Request("POST", url + protocol.path, body, turn.key, self.config.seconds, _MAX_REPLY_BYTES)
        try:
            reply = await turn.engine.fetch(request, protocol.reply)
        except TimedOut:
            turn.state.counts.add(timeouts=1)
            raise
        except Denied as error:
            raise ConfigError(
                f"the reward model at {url} will never answer (urls, protocol, model, api_key_env?): {error}"
            ) from None
        items = sorted(reply.data, key=lambda item: item.index)
        if [item.index for item in items] != list(range(len(sequences))):
            raise Transient(f"{len(items)} scores for {len(sequences)} conversations, or not one for each")
        return [self._score_of(item.values(len(sequences[item.index]))) for item in items]

    def _score_of(self, values: list[_Number]) -> float:
        if len(values) != self.config.labels:
            raise _WrongLabels(f"{len(values)} numbers for a text, where {self.config.labels} are expected (labels)")
        score = values[self.config.label]
        return math.nan if score is None else score

    # Is it the right reward model, and are those its logits?

    async def _check_all(self, turn: _Turn) -> None:
        turn.pool.reference = None
        for place in turn.pool.places:
            place.checked = False
        await _all(self._check(turn, place) for place in turn.pool.places)
        turn.pool.greeted = True

    async def _check(self, turn: _Turn, place: _Place) -> None:
        try:
            await with_retries(
                lambda: self._probe(turn, place),
                retries=self.config.retries,
                seconds=self.config.seconds,
                before_retry=lambda: turn.state.counts.add(retries=1),
            )
        except Transient as error:
            raise ConfigError(f"the reward model at {place.url} does not answer: {error}") from None

    async def _greet(self, turn: _Turn, place: _Place) -> None:
        """Probe a URL; one that does not answer yet starts with a rest."""
        try:
            await self._probe(turn, place)
        except Transient as error:
            place.rest(min(error.seconds_asked, self.config.seconds))

    async def _probe(self, turn: _Turn, place: _Place) -> None:
        """Score the fixed texts, unless that was done since the URL last failed."""
        failed_before = place.failed_probes
        async with place.probing:
            if place.checked:
                return
            if place.failed_probes != failed_before:  # those who waited for one probe share what came of it
                raise Transient("it failed on the texts to check it by")
            try:
                scores = await self._fetch(turn, place.url, self._probe_sequences(turn))
            except (_WrongLabels, Refused) as error:
                raise ConfigError(
                    f"the reward model at {place.url} (protocol {self.config.protocol}): {error}"
                ) from None
            except Transient:
                place.failed_probes += 1
                raise
            self._judge(place.url, scores)
            self._compare(turn.pool, place.url, scores)
            place.checked = True

    def _probe_sequences(self, turn: _Turn) -> list[Tokens]:
        with turn.state.tokenizing:
            sequences, _ = self._renderer.tokenize(_PROBES)
        if not all(sequences):
            raise ConfigError("tokenizer: its chat template fails on a question and its answer, or leaves nothing")
        return sequences

    def _judge(self, url: str, scores: list[float]) -> None:
        said = ", ".join(f"{score:g}" for score in scores)
        remedy = _PROTOCOLS[self.config.protocol].remedy
        if not all(map(math.isfinite, scores)):
            raise ConfigError(f"the reward model at {url} gives plain texts the scores {said}: serve it in bfloat16?")
        if max(scores) - min(scores) < 1e-6:
            raise ConfigError(f"the reward model at {url} gives every text the same score ({said}): {remedy}")
        if not self.config.within_unit_interval and all(0 <= score <= 1 for score in scores):
            raise ConfigError(
                f"the reward model at {url} gives scores that all lie between 0 and 1 ({said}), so probabilities, no "
                f"logits: {remedy}; or set within_unit_interval, if its logits are like that"
            )

    def _compare(self, pool: _Pool, url: str, scores: list[float]) -> None:
        if pool.reference is None:
            pool.reference = (url, scores)
        first, expected = pool.reference
        for score, other in zip(scores, expected, strict=True):
            if abs(score - other) > self.config.tolerance * max(1.0, abs(score), abs(other)):
                now = " now" if url == first else ""
                raise ConfigError(
                    f"the reward model at {url}{now} scores a text {score:g}, and that at {first} scored it {other:g}: "
                    "serve the same model with the same settings at all urls (or raise tolerance)"
                )


class _WrongLabels(Transient):
    """The model has another head than expected."""


@dataclass(eq=False)
class _Place:
    """One URL and how it is doing.

    Attributes:
        slots: a semaphore of the requests it may have at one time.
        load: requests that have it or wait for it.
        turns: how often it was chosen.
        failures: rests since it last worked.
        rested_at: end of its rest, by the monotonic clock.
        checked: the fixed texts were scored since it last failed.
        failed_probes: how often they could not be.
        probing: held while they are.
    """

    url: str
    slots: asyncio.Semaphore
    load: int = 0
    turns: int = 0
    failures: int = 0
    rested_at: float = 0.0
    checked: bool = False
    failed_probes: int = 0
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def rests(self) -> bool:
        return time.monotonic() < self.rested_at

    def rest(self, at_least: float) -> None:
        self.checked = False
        if self.rests:  # requests that failed together are one failure
            return
        seconds = min(_SHORTEST_REST * 2**self.failures, _LONGEST_REST)
        self.failures += 1
        self.rested_at = time.monotonic() + max(at_least, seconds)


class _Pool:
    """The URLs, as long as their engine runs.

    Attributes:
        engine: where requests run.
        concurrency: requests at one time over all URLs.
        places: the URLs.
        greeted: each was probed once.
        reference: a URL and its scores of the fixed texts, which those of all must equal.
    """

    def __init__(self, engine: Engine, config: RemoteRewardModelConfig) -> None:
        self.engine = engine
        self.concurrency = config.concurrency * len(config.urls)
        self.places = [_Place(url, asyncio.Semaphore(config.concurrency)) for url in config.urls]
        self.greeted = False
        self.reference: tuple[str, list[float]] | None = None

    def best(self) -> _Place:
        """The one with the least to do of those that do not rest, or the one whose rest ends first."""
        awake = [place for place in self.places if not place.rests]
        if awake:
            return min(awake, key=lambda place: (place.load, place.turns))
        return min(self.places, key=lambda place: place.rested_at)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[_Place]:
        """The best URL, held while it is asked."""
        while True:
            place = self.best()
            place.load += 1
            try:
                async with place.slots:
                    if place.rests and not self.best().rests:
                        continue  # it failed while this request waited for it
                    place.turns += 1
                    yield place
                    return
            finally:
                place.load -= 1


class _State(Session):
    """What a remote reward model knows and has open in this process."""

    thread = "reward-model-client"
    counted = ("missing", "truncated", "nonfinite", "unrenderable", "timeouts", "retries", "failed_requests")

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.tokenizing = threading.Lock()  # tokenizers keep settings of a call in themselves
        self._pool: _Pool | None = None
        self._pool_lock = threading.Lock()

    def pool(self, config: RemoteRewardModelConfig) -> _Pool:
        engine = self.engine(config.concurrency * len(config.urls))
        with self._pool_lock:
            if self._pool is None or self._pool.engine is not engine:
                self._pool = _Pool(engine, config)
            return self._pool


@dataclass
class _Turn:
    """One batch on its way.

    Attributes:
        state: the reward model's.
        engine: where requests run.
        pool: the URLs.
        key: the servers', empty for none.
        silent: requests in a row that got no answer in all their attempts.
    """

    state: _State
    engine: Engine
    pool: _Pool
    key: str = field(repr=False)
    silent: int = 0


async def _all(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """What each comes to; the first error ends the others."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # to no effect on those that are done
        await asyncio.gather(*tasks, return_exceptions=True)
