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
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hero_rl.clients.engine import (
    Denied,
    Engine,
    HttpRequest,
    Refused,
    Session,
    TimedOut,
    Transient,
    key_from,
    plain_url,
    with_retries,
)
from hero_rl.errors import ConfigError
from hero_rl.foreign import loading, refuse_no_source
from hero_rl.reward_models.base import Conversation, Scores
from hero_rl.reward_models.protocols import PROTOCOLS, Number
from hero_rl.reward_models.rendering import OtherParts, Renderer, Tokens, own_limit
from hero_rl.reward_models.servers import Server, Servers, Unfit

__all__ = ["RemoteRewardModel", "RemoteRewardModelConfig"]

_logger = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 64 * 2**20  # a reply of /pooling may hold a number for each token
_REST_OF_DENIED = 30.0
_SHARE_OF_PROBES = 0.25  # of a request's time, where others wait: four short texts are a fraction of its work

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
        other_parts: a conversation with a part that is no text, an image say, has no score ("refuse"), or that of its
            text, and the parts are counted ("leave_out").
        batch_size: conversations in one request.
        concurrency: requests at one time to each URL, whatever the number of calling threads.
        seconds: time limit of one request, from connecting to the last byte.
        retries: attempts after the first, on another URL where one is ready, with pauses of up to 8 s in between; a
            server that is back within them has cost nothing. A server that names a pause (Retry-After) is given it, up
            to `seconds`.
        labels: numbers that the model gives a text; another count is refused.
        label: which of them is the score, from 0.
        tolerance: how far two servers' scores of one text may be apart, in logits, and relative above 1; usually what
            bfloat16 may round away.
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
    other_parts: OtherParts = "refuse"
    batch_size: Annotated[int, Field(gt=0)] = 16
    concurrency: Annotated[int, Field(gt=0)] = 8
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 6
    labels: Annotated[int, Field(gt=0)] = 1
    label: Annotated[int, Field(ge=0)] = 0
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.25
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
        refuse_no_source("tokenizer", self.tokenizer, self.revision)
        from transformers import AutoConfig, AutoTokenizer

        source = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        with loading(f"tokenizer: none can be loaded from {self.tokenizer}"):
            tokenizer = AutoTokenizer.from_pretrained(self.tokenizer, **source)
        try:
            model_config = AutoConfig.from_pretrained(self.tokenizer, **source)
        except (OSError, ValueError):  # a tokenizer without a model, or with one that transformers does not know
            model_config = None
        return RemoteRewardModel(self, tokenizer, max_tokens=self.max_tokens or own_limit(model_config, tokenizer))


class RemoteRewardModel:
    """Scores conversations by the servers of one reward model.

    Requests go to the URL with the least to do. One that fails rests for half a second, twice as long with each further
    failure up to five minutes; then, as before its first request, a few fixed texts are scored on it, while the others
    serve. It takes requests only if that works and the scores are raw logits and the same as elsewhere, one at a time
    until the first is answered. Where all rest they are asked nonetheless.

    A URL that denies (401, 403, 404: load balancers say so while a server restarts), or comes back with other scores,
    which are never used, rests for half a minute at least; that is logged once for each URL and counted. Only at the
    start is it an error, which is to say in `check` and in the first `score` without one; after that once no URL is
    left: each gives other scores, or has denied for ten minutes and done nothing else.

    A request that a server refuses (400, 413, 422) is halved until the conversation at fault is alone.

    Servers that go silent are given up, over all calls, as `hero_rl.clients.breaker.Breaker` has it: once no request
    was answered for `2 * seconds`, or as many in a row as run at one time (eight at least) failed in all their
    attempts, the rest of the batch is NaN. Until one is answered, each later call scores the fixed texts, for a quarter
    of `seconds`, and only if they come makes a request; else all of it is NaN. Whatever the servers do, a call with n
    requests takes at most `(2 + ceil(n / (concurrency * URLs))) * seconds`, after the first one's look at each URL.

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
        self._renderer = Renderer(tokenizer, max_tokens, config.other_parts)
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
        `unrenderable` (the chat template failed, or nothing came out); `truncated`. Parts of messages that are no text:
        `parts_left_out`. Requests: `timeouts` (attempts
        without a whole reply in time), `denied` (attempts that a URL denied, or for which it gave other scores of the
        fixed texts than it should), `retries` (further attempts), `failed_requests` (those that brought no scores).
        """
        counted = {name: int(total) for name, total in self._state.counts.totals.items()}
        return counted | {"parts_left_out": self._renderer.left_out}

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Raw logits (B,), float32 on the CPU, in input order; NaN for what could not be scored.

        Raises:
            ConfigError: no score can ever come, or none that could be trusted: in the first call for what `check`
                names, except a server that does not answer; later for what no URL recovers from.
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
        engine, servers = state.servers(self.config)
        return _Turn(state, engine, servers, key)

    async def _score_all(self, turn: _Turn, sequences: list[Tokens]) -> list[float | None]:
        if not turn.servers.greeted:
            await _all(self._greet(turn, server) for server in turn.servers.all)
            turn.servers.greeted = True
        size = self.config.batch_size
        batches = [sequences[start : start + size] for start in range(0, len(sequences), size)]
        found = await turn.engine.breaker.ask_all(
            lambda batch, retries: self._ask(turn, batch, retries), batches, self.config.retries
        )
        if given_up := found.count(None):
            turn.state.counts.add(failed_requests=given_up)
            said = "%d requests for scores were given up, since the reward model is silent"
            turn.state.log_once(_logger, "given up", said, given_up)
        pairs = zip(batches, found, strict=True)
        return [score for batch, scores in pairs for score in scores or [None] * len(batch)]

    async def _ask(self, turn: _Turn, sequences: list[Tokens], retries: int) -> list[float | None]:
        """The scores of one request, None where none came."""
        counts, breaker = turn.state.counts, turn.engine.breaker
        # The slot is held through the pauses too: servers that cannot keep up are not asked for more.
        async with turn.engine.slots:
            try:
                found = await with_retries(
                    lambda: self._attempt(turn, sequences),
                    retries=retries,
                    seconds=self.config.seconds,
                    before_retry=lambda: counts.add(retries=1),
                )
                breaker.answered()
                return [*found]
            except Transient as error:
                breaker.failed()
                counts.add(failed_requests=1)
                turn.state.log_once(_logger, "unanswered", "a request for scores got no answer: %s", error)
                return [None] * len(sequences)
            except Refused as error:
                breaker.answered()
                if len(sequences) == 1:
                    counts.add(failed_requests=1)
                    turn.state.log_once(_logger, "refused", "the reward model refuses a conversation: %s", error)
                    return [None]
        half = len(sequences) // 2
        return [*await self._ask(turn, sequences[:half], retries), *await self._ask(turn, sequences[half:], retries)]

    async def _attempt(self, turn: _Turn, sequences: list[Tokens]) -> list[float]:
        self._call_back(turn)
        seconds = self.config.seconds * (_SHARE_OF_PROBES if turn.engine.breaker.open else 1.0)
        async with turn.servers.one() as server:
            try:
                await self._probe(turn, server, seconds)
                found = await self._fetch(turn, server.url, sequences, self.config.seconds)
            except (Transient, Unfit) as error:
                self._rest(turn, server, error)
                if turn.servers.hopeless:
                    raise ConfigError(f"{error}; so no server of the reward model is left") from None
                asked = error.seconds_asked if isinstance(error, Transient) else 0.0
                # Another URL need not wait for this one.
                raise Transient(str(error), asked if turn.servers.best().rests else 0.0) from None
            server.failures = 0
            server.denials.end()
            return found

    def _rest(self, turn: _Turn, server: Server, error: Transient | Unfit) -> None:
        if isinstance(error, Unfit):
            server.denials.add(for_good=error.for_good)
            server.rest(_REST_OF_DENIED)
            turn.state.counts.add(denied=1)
            turn.state.log_once(_logger, f"{server.url} denied", "%s; it is given a rest", error)
        else:
            server.denials.end()
            server.rest(min(error.seconds_asked, self.config.seconds))
            said = "the reward model at %s fails and is given a rest: %s"
            turn.state.log_once(_logger, server.url, said, server.url, error)

    def _call_back(self, turn: _Turn) -> None:
        """Probe the URLs whose rest is over, beside the requests, so that none of them waits for one that hangs."""
        if not any(server.ready for server in turn.servers.all):
            return
        for server in turn.servers.all:
            if not server.checked and not server.rests and (server.recovery is None or server.recovery.done()):
                server.recovery = asyncio.ensure_future(self._recover(turn, server))

    async def _recover(self, turn: _Turn, server: Server) -> None:
        try:
            await self._probe(turn, server, self.config.seconds * _SHARE_OF_PROBES)
        except (Transient, Unfit) as error:
            self._rest(turn, server, error)

    async def _fetch(self, turn: _Turn, url: str, sequences: list[Tokens], seconds: float) -> list[float]:
        """The scores by one attempt, NaN where the server has none."""
        protocol = PROTOCOLS[self.config.protocol]
        body: dict[str, Any] = {"input": sequences, **protocol.options}
        if self.config.model is not None:
            body["model"] = self.config.model
        request = HttpRequest("POST", url + protocol.path, body, turn.key, seconds, _MAX_REPLY_BYTES)
        try:
            reply = await turn.engine.fetch(request, protocol.reply)
        except TimedOut:
            turn.state.counts.add(timeouts=1)
            raise
        except Denied as error:
            raise Unfit(f"the reward model at {url} denies (urls, protocol, model, api_key_env?): {error}") from None
        items = sorted(reply.data, key=lambda item: item.index)
        if [item.index for item in items] != list(range(len(sequences))):
            raise Transient(f"{len(items)} scores for {len(sequences)} conversations, or not one for each")
        return [self._score_of(item.values(len(sequences[item.index]))) for item in items]

    def _score_of(self, values: list[Number]) -> float:
        if len(values) != self.config.labels:
            raise _WrongLabels(f"{len(values)} numbers for a text, where {self.config.labels} are expected (labels)")
        score = values[self.config.label]
        return math.nan if score is None else score

    # Is it the right reward model, and are those its logits?

    async def _check_all(self, turn: _Turn) -> None:
        turn.servers.reference = None
        for server in turn.servers.all:
            server.begin()
        await _all(self._check(turn, server) for server in turn.servers.all)
        turn.servers.greeted = True
        turn.engine.breaker.answered()

    async def _check(self, turn: _Turn, server: Server) -> None:
        try:
            await with_retries(
                lambda: self._probe(turn, server, self.config.seconds),
                retries=self.config.retries,
                seconds=self.config.seconds,
                before_retry=lambda: turn.state.counts.add(retries=1),
            )
        except Transient as error:
            raise ConfigError(f"the reward model at {server.url} does not answer: {error}") from None
        except Unfit as error:
            raise ConfigError(str(error)) from None

    async def _greet(self, turn: _Turn, server: Server) -> None:
        """Probe a URL; one that does not answer yet starts with a rest."""
        try:
            await self._probe(turn, server, self.config.seconds)
        except Transient as error:
            server.rest(min(error.seconds_asked, self.config.seconds))
        except Unfit as error:
            raise ConfigError(str(error)) from None

    async def _probe(self, turn: _Turn, server: Server, seconds: float) -> None:
        """Score the fixed texts, unless that was done since the URL last failed."""
        failed_before = server.failed_probe
        async with server.probing:
            if server.checked:
                return
            failed = server.failed_probe
            if failed is not None and failed is not failed_before:  # those who waited for one probe share what came
                raise failed
            try:
                await self._ask_what_is_known(turn, server, seconds)
            except (Transient, Unfit) as error:
                server.failed_probe = error
                raise
            server.checked = True

    async def _ask_what_is_known(self, turn: _Turn, server: Server, seconds: float) -> None:
        try:
            scores = await self._fetch(turn, server.url, self._probe_sequences(turn), seconds)
        except (_WrongLabels, Refused) as error:
            raise Unfit(
                f"the reward model at {server.url} (protocol {self.config.protocol}): {error}",
                for_good=isinstance(error, _WrongLabels),
            ) from None
        self._judge(server.url, scores)
        self._compare(turn.servers, server.url, scores)

    def _probe_sequences(self, turn: _Turn) -> list[Tokens]:
        with turn.state.tokenizing:
            sequences, _ = self._renderer.tokenize(_PROBES)
        if not all(sequences):
            raise ConfigError("tokenizer: its chat template fails on a question and its answer, or leaves nothing")
        return sequences

    def _judge(self, url: str, scores: list[float]) -> None:
        said = ", ".join(f"{score:g}" for score in scores)
        remedy = PROTOCOLS[self.config.protocol].remedy
        if not all(map(math.isfinite, scores)):
            raise Unfit(
                f"the reward model at {url} gives plain texts the scores {said}: serve it in bfloat16?", for_good=True
            )
        if max(scores) - min(scores) < 1e-6:
            raise Unfit(f"the reward model at {url} gives every text the same score ({said}): {remedy}", for_good=True)
        if not self.config.within_unit_interval and all(0 <= score <= 1 for score in scores):
            raise Unfit(
                f"the reward model at {url} gives scores that all lie between 0 and 1 ({said}), so probabilities, no "
                f"logits: {remedy}; or set within_unit_interval, if its logits are like that",
                for_good=True,
            )

    def _compare(self, servers: Servers, url: str, scores: list[float]) -> None:
        if servers.reference is None:
            servers.reference = (url, scores)
        first, expected = servers.reference
        for score, other in zip(scores, expected, strict=True):
            if abs(score - other) > self.config.tolerance * max(1.0, abs(score), abs(other)):
                now = " now" if url == first else ""
                raise Unfit(
                    f"the reward model at {url}{now} scores a text {score:g}, and that at {first} scored it {other:g}: "
                    "serve the same model with the same settings at all urls (or raise tolerance)",
                    for_good=True,
                )


class _WrongLabels(Transient):
    """The model has another head than expected."""


class _State(Session):
    """What a remote reward model knows and has open in this process."""

    thread = "reward-model-client"
    counted = ("missing", "truncated", "nonfinite", "unrenderable", "timeouts", "denied", "retries", "failed_requests")

    def __init__(self, inherited: Session | None = None) -> None:
        super().__init__(inherited)
        self.tokenizing = threading.Lock()  # tokenizers keep settings of a call in themselves
        self._servers: Servers | None = None
        self._servers_of: Engine | None = None
        self._servers_lock = threading.Lock()

    def servers(self, config: RemoteRewardModelConfig) -> tuple[Engine, Servers]:
        """The servers; known anew with each engine, whose loop their locks belong to."""
        engine = self.engine(config.concurrency * len(config.urls), config.seconds)
        with self._servers_lock:
            if self._servers is None or self._servers_of is not engine:
                self._servers, self._servers_of = Servers(config.urls, config.concurrency), engine
            return engine, self._servers


@dataclass
class _Turn:
    """One batch on its way.

    Attributes:
        state: the reward model's.
        engine: where requests run.
        servers: those of the reward model.
        key: the servers', empty for none.
    """

    state: _State
    engine: Engine
    servers: Servers
    key: str = field(repr=False)


async def _all(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """What each comes to; the first error ends the others."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # to no effect on those that are done
        await asyncio.gather(*tasks, return_exceptions=True)
