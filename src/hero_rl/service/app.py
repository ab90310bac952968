"""The endpoints."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import torch
from fastapi import FastAPI, HTTPException, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import ValidationError

from hero_rl import __version__
from hero_rl.errors import DataError, HeroError
from hero_rl.files.json_objects import each_key_once
from hero_rl.monitoring.metrics import batch_metrics
from hero_rl.rules.base import only_plain
from hero_rl.service.batcher import Batcher, Texts
from hero_rl.service.messages import (
    MOST_DOMAINS,
    GivenRollout,
    GroupedRollout,
    Health,
    OpenRLHFRequest,
    OpenRLHFResponse,
    Problem,
    Rollout,
    RunState,
    ShapedRollout,
    ShapeRequest,
    ShapeResponse,
    Signal,
    SignalsRequest,
    SignalsResponse,
    SlimeRequest,
)
from hero_rl.service.metrics import Metrics
from hero_rl.service.openrlhf import NotIts, groups_of, response_of, rollouts_of, without_end
from hero_rl.service.runs import NoPlace, Runs, TooManyDomains, shaped_after
from hero_rl.service.settings import Limits, ServiceConfig
from hero_rl.signals import Shaped, Signals
from hero_rl.verifiers import FAILURES, ByDomain

__all__ = ["endpoints"]

_logger = logging.getLogger(__name__)

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": said}
    for status, said in {
        400: "The body is no JSON that can be read.",
        401: "The token is missing or wrong.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        429: "Too many requests, or runs, at once; see Retry-After.",
        503: "Verifier or reward model cannot work; the server's log says why.",
        504: "No answer in time.",
    }.items()
}
_DESCRIPTION = (
    "Verdicts, scores, shaped rewards and advantages for rollouts. Null means missing, never 0: the verifier "
    "abstained, or the reward model gave no score."
)


def endpoints(config: ServiceConfig, batcher: Batcher, metrics: Metrics) -> FastAPI:
    """The application, without the guard before it.

    Args:
        config: rule and limits.
        batcher: gives verdicts and scores.
        metrics: takes in what was said.
    """
    app = FastAPI(
        title="hero serve",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False))] if config.token_env else [],
    )
    app.router.route_class = _Route
    service = _Service(config, batcher, metrics)
    app.add_api_route("/healthz", service.health, response_model=Health, tags=["service"])
    app.add_api_route("/metrics", service.metrics_page, response_class=Response, tags=["service"])
    answering: dict[str, Any] = {"methods": ["POST"], "responses": _REFUSALS}
    app.add_api_route("/v1/signals", service.signals, response_model=SignalsResponse, tags=["signals"], **answering)
    app.add_api_route("/v1/shape", service.shape, response_model=ShapeResponse, tags=["rewards"], **answering)
    app.add_api_route("/openrlhf", service.openrlhf, response_model=OpenRLHFResponse, tags=["rewards"], **answering)
    app.add_api_route("/slime", service.slime, response_model=Signal, tags=["signals"], **answering)
    app.add_api_route(
        "/v1/runs/{run}",
        service.forget,
        methods=["DELETE"],
        status_code=204,
        responses={404: {"model": Problem, "description": "There is no such run."}, **_REFUSALS},
        tags=["rewards"],
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(_Answered, _answered)
    return app


class _Body(Request):
    """A request whose JSON has no key twice."""

    async def json(self) -> Any:
        """What the body says; FastAPI answers for what is no JSON."""
        try:
            return json.loads(await self.body(), object_pairs_hook=each_key_once)
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise
        except ValueError as error:
            raise HTTPException(400, f"the body is no JSON that can be read: {error}") from None


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_Body(request.scope, request.receive))

        return handle


class _Answered(Exception):
    """Another answer than the one that was asked for."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Service:
    """One method an endpoint; their docstrings are the endpoints' descriptions."""

    def __init__(self, config: ServiceConfig, batcher: Batcher, metrics: Metrics) -> None:
        self._config = config
        self._batcher = batcher
        self._metrics = metrics
        self._runs = Runs(config.rule, config.limits.runs, config.limits.run_idle_seconds)
        metrics.count_runs(lambda: len(self._runs))

    async def health(self) -> Health:
        """Whether the service is up."""
        reward_model = self._config.reward_model
        return Health(
            rule=self._config.rule.type,
            verifier=self._config.verifier.type,
            reward_model=reward_model.type if reward_model else None,
        )

    async def metrics_page(self) -> Response:
        """Metrics in Prometheus' text format."""
        return Response(self._metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def signals(self, request: SignalsRequest) -> SignalsResponse:
        """Verdict and score of each rollout, on its own."""
        _check_texts(request.rollouts, self._config.limits)
        return SignalsResponse(rollouts=await self._signals([rollout.texts for rollout in request.rollouts]))

    async def shape(self, request: ShapeRequest) -> ShapeResponse:
        """Rewards and advantages of whole groups under the service's rule, from given signals or from texts."""
        limits, rollouts = self._config.limits, request.rollouts
        _check_count("rollouts", len(rollouts), limits.rollouts)
        _check_count("groups", len({rollout.group for rollout in rollouts}), limits.groups)
        grouped = [rollout for rollout in rollouts if isinstance(rollout, GroupedRollout)]
        _check_texts(grouped, limits)
        domains = _domains(rollouts)
        fresh = await self._signals([rollout.texts for rollout in grouped])
        given = [rollout for rollout in rollouts if isinstance(rollout, GivenRollout)]
        signals = _batch(fresh or given, _numbered(rollout.group for rollout in rollouts), domains)
        shaped, state, run = self._shaped(signals, request)
        return ShapeResponse(
            rollouts=_rows(fresh or given, shaped),
            state=state.model_dump(),
            run=run,
            metrics={**batch_metrics(signals, shaped)} if len(signals) else {},
        )

    async def openrlhf(self, request: OpenRLHFRequest) -> OpenRLHFResponse:
        """OpenRLHF's remote reward model. Rows of one prompt and label are a group, as far as the request has it."""
        limits = self._config.limits
        _check_count("query", len(request.query), limits.rollouts)
        groups = groups_of(request)
        _check_count("prompts", len(set(groups)), limits.groups)
        for row, texts in enumerate(zip(request.query, request.labels, strict=True)):
            for name, text in zip(("query", "labels"), texts, strict=True):
                _check_length((name, row), len(str(text)), limits)
        try:
            rollouts = rollouts_of(request, self._config.openrlhf.end_texts)
        except NotIts as error:
            raise _wrong(("query", error.row), str(error)) from None
        signals = await self._signals(rollouts)
        shaped, _ = self._config.rule.update(_batch(signals, groups), self._config.rule.init())  # pyright: ignore
        return response_of(signals, shaped)

    async def slime(self, request: SlimeRequest) -> Signal:
        """Slime's remote reward model: the signals of one rollout, of which `--reward-key` names one, `verdict` say.

        A check that failed is a 503 that names its reason: slime asks again, and a null would end its run.
        """
        rollout = Rollout(
            prompt=request.prompt, completion=request.response, reference="" if request.label is None else request.label
        )
        _check_texts([rollout], self._config.limits)
        prompt, completion, *rest = rollout.texts
        completion = without_end(completion, self._config.openrlhf.end_texts)
        (signal,) = await self._signals([(prompt, completion, *rest)])
        if signal.reason in FAILURES:
            raise _Answered(503, f"no verdict: {signal.reason}", retry_after="5")
        return signal

    async def forget(self, run: str) -> Response:
        """Forget the state that is kept of a run."""
        if not self._runs.forget(run):
            raise _Answered(404, "there is no such run")
        return Response(status_code=204)

    async def _signals(self, rollouts: Sequence[tuple[Any, ...]]) -> list[Signal]:
        asked = [Texts(*rollout) for rollout in rollouts]
        self._check_domains(asked)
        try:
            signals = await asyncio.wrap_future(self._batcher.submit(asked))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            said = str(error) if isinstance(error, HeroError) else "scoring failed"
            _logger.error("rollouts could not be scored: %s", error, exc_info=not isinstance(error, HeroError))
            raise _Answered(503, f"the service cannot score: {said}", retry_after="5") from None
        self._metrics.count_signals(signals)
        return signals

    def _check_domains(self, rollouts: Sequence[Texts]) -> None:
        """Refuse a domain without a verifier: in a batch it would cost other requests their answers."""
        verifier = self._batcher.verifier
        if not isinstance(verifier, ByDomain):
            return
        for row, rollout in enumerate(rollouts):
            try:
                verifier.check([rollout.domain], ["the rollout"])
            except DataError as error:
                raise _wrong(("rollouts", row, "domain"), str(error)) from None

    def _shaped(self, signals: Signals, request: ShapeRequest) -> tuple[Shaped, Any, RunState | None]:
        rule = self._config.rule
        if not rule.takes_graded:
            try:
                only_plain(rule, signals)  # pyright: ignore[reportArgumentType]
            except ValueError as error:
                raise _wrong(("rollouts",), str(error)) from None
        try:
            if request.run is None:
                shaped, state = shaped_after(rule, signals, _state(rule, request.state))
                return shaped, state, None
            shaped, state, batches = self._runs.update(request.run, signals)
        except NoPlace:
            raise _Answered(429, "as many runs as may be kept are in use; DELETE one", retry_after="60") from None
        except TooManyDomains:
            raise _wrong(("rollouts",), f"with these, the state would be of more than {MOST_DOMAINS} domains") from None
        return shaped, state, RunState(run=request.run, batches=batches)


def _state(rule: Any, given: Mapping[str, Any] | None) -> Any:
    if given is None:
        return rule.init()
    kind = type(rule.init())
    unknown = given.keys() - kind.model_fields
    if unknown:
        raise _wrong(("state", min(unknown)), f"a state of {rule.type} has no such name")
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _wrong(("state", *wrong["loc"]), wrong["msg"]) from None


def _domains(rollouts: Sequence[GivenRollout] | Sequence[GroupedRollout]) -> tuple[str, ...] | None:
    """The domain of each rollout, where all name one; a group is of one domain."""
    _check_count("domains", len({rollout.domain for rollout in rollouts}), MOST_DOMAINS)
    first: dict[str | int, str] = {}
    for row, rollout in enumerate(rollouts):
        if first.setdefault(rollout.group, rollout.domain) != rollout.domain:
            raise _wrong(("rollouts", row, "domain"), "another rollout of its group names another domain")
    return tuple(rollout.domain for rollout in rollouts) if rollouts and all(first.values()) else None


def _batch(
    rows: Sequence[Signal | GivenRollout], groups: Sequence[int], domains: tuple[str, ...] | None = None
) -> Signals:
    return Signals(
        verdict=torch.tensor([_nan_if_null(row.verdict) for row in rows], dtype=torch.float64),
        score=torch.tensor([_nan_if_null(row.score) for row in rows], dtype=torch.float64),
        group=torch.tensor(groups, dtype=torch.long),
        domain=domains,
        empty=torch.tensor([row.empty for row in rows], dtype=torch.bool),
        unverified=torch.tensor([row.unverified for row in rows], dtype=torch.bool),
    )


def _nan_if_null(value: float | None) -> float:
    return math.nan if value is None else value


def _numbered(ids: Iterable[str | int]) -> list[int]:
    numbers: dict[str | int, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in ids]


def _rows(rows: Sequence[Signal | GivenRollout], shaped: Shaped) -> list[ShapedRollout]:
    columns = (shaped.reward.tolist(), shaped.advantage.tolist(), shaped.weight.tolist(), shaped.sigma.tolist())
    return [
        ShapedRollout(
            **row.model_dump(exclude={"group", "unverified", "domain"}),
            reward=reward,
            advantage=advantage,
            weight=weight,
            sigma=sigma,
        )
        for row, reward, advantage, weight, sigma in zip(rows, *columns, strict=True)
    ]


def _check_texts(rollouts: Sequence[Rollout], limits: Limits) -> None:
    _check_count("rollouts", len(rollouts), limits.rollouts)
    for row, rollout in enumerate(rollouts):
        for name, length in rollout.lengths.items():
            _check_length(("rollouts", row, name), length, limits)


def _check_length(place: tuple[str | int, ...], length: int, limits: Limits) -> None:
    if length > limits.characters:
        raise _wrong(place, f"{length} characters; at most {limits.characters} are taken")


def _check_count(what: str, count: int, most: int) -> None:
    if count > most:
        raise _wrong((what,), f"{count} of them; at most {most} are taken in one request")


def _wrong(place: tuple[str | int, ...], message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", *place), "msg": message, "type": "limit"}])


_SHOWN = 20


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """422 with place and message of each mistake; what the client sent is not sent back."""
    assert isinstance(error, RequestValidationError)
    mistakes = [{name: mistake[name] for name in ("loc", "msg", "type")} for mistake in error.errors()[:_SHOWN]]
    return JSONResponse({"detail": mistakes}, 422)


async def _answered(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, _Answered)
    return JSONResponse({"detail": error.detail}, error.status, error.headers)
