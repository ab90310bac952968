"""What is evaluated, on what, and how answers are judged."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from hero_rl.generation import GeneratorConfig, Sampling
from hero_rl.problems import PRESETS, ProblemSource
from hero_rl.settings import Block
from hero_rl.verifiers import AnyVerifier, JudgeVerifier, MathVerifier, Processes

__all__ = ["Benchmark", "EvalConfig", "GradedBy", "judge_identity", "preset_name", "verifier_identity"]

GradedBy = Literal["verifier", "judge", "both"]


def _each_once(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("one is there twice")
    return seeds


Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(_each_once)]

_NAME = re.compile(r"[A-Za-z0-9][\w+-]*")  # of files, and of settings with dots

# What an endpoint is asked through, and not what it answers.
_ROUTE = {"url", "api_key_env", "concurrency", "rpm", "seconds", "retries"}


class Benchmark(ProblemSource):
    """Problems to evaluate on.

    Attributes:
        kind: the average of the table that it belongs to, by whether a rule can verify its answers; None is the
            preset's, and `easy` without one.
        graded_by: `verifier`, `judge` or `both`; None is what the whole evaluation says, else the preset's. With both,
            the verifier's verdict counts where answers are easy to verify and the judge's where they are hard.
        samples: responses to a problem for each seed; None is `sampling.samples`, or 1 for the paper's hard benchmarks.
        seeds: of the samples; None is those of the whole evaluation, and the first of them for the paper's hard
            benchmarks, which have one response to a problem.
    """

    kind: Literal["easy", "hard"] | None = None
    graded_by: GradedBy | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    seeds: Seeds | None = None

    @property
    def answered_once(self) -> bool:
        """Whether it is one of the paper's hard benchmarks, to whose problems the paper takes one response."""
        return self.preset is not None and self.preset.kind == "hard"

    @property
    def regime(self) -> Literal["easy", "hard"]:
        """`easy` or `hard`."""
        return self.kind or (self.preset.kind if self.preset else None) or "easy"


class EvalConfig(Block):
    r"""One model on some benchmarks.

    Attributes:
        benchmarks: name -> problems; the name of a preset needs no `dataset`.
        instruction: put under every question of the benchmarks that have none of their own, for example "Put the final
            answer in \boxed{}."
        system_prompt: the same, put before every question as a message of its own.
        generator: the model; None grades the responses that are there.
        sampling: how it writes. `samples` is for each seed.
        seeds: of the samples; None is `sampling.seed` alone.
        verifier: judges by rule.
        verifier_processes: the processes that it runs in.
        judge: a language model that compares answers with references.
        graded_by: for all benchmarks that do not say it themselves; None is what each preset says.
        k: responses of pass@k, the largest at most as many as there are; None is 1, 2, 4, ... up to all.
        name: of the method in a table; None is the folder's name.
        step: the optimiser step of the model; None is told from a checkpoint's folder.
        max_missing: the share of responses that may be without a verdict because something failed.
    """

    benchmarks: Annotated[dict[str, Benchmark], Field(min_length=1)]
    instruction: str | None = None
    system_prompt: str | None = None
    generator: GeneratorConfig | None = None
    sampling: Sampling = Sampling()
    seeds: Seeds | None = None
    verifier: AnyVerifier = MathVerifier()
    verifier_processes: Processes = Processes()
    judge: JudgeVerifier | None = None
    graded_by: GradedBy | None = None
    k: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    name: str | None = None
    step: Annotated[int, Field(ge=0)] | None = None
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.02

    @field_validator("benchmarks", mode="before")
    @classmethod
    def _name_presets(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        named = {}
        for name, block in given.items():
            name = preset_name(str(name))
            block = {} if block is None else block
            known = isinstance(block, Mapping) and "dataset" not in block and name in PRESETS
            named[name] = {"dataset": name, **block} if known else block
        return named

    @model_validator(mode="after")
    def _check(self) -> EvalConfig:
        for name, benchmark in self.benchmarks.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"benchmarks.{name}: a name has letters, digits, dashes and underscores only")
            if self.judge is None and self.graders(benchmark) != ("verifier",):
                raise ValueError(
                    f"benchmarks.{name} is graded by a judge: give judge.url, or set graded_by to verifier"
                )
        return self

    def seeds_of(self, benchmark: Benchmark) -> tuple[int, ...]:
        """The seeds of a benchmark's responses, one at least."""
        seeds = self.seeds or (self.sampling.seed,)
        return benchmark.seeds or (seeds[:1] if benchmark.answered_once else seeds)

    def source(self, benchmark: Benchmark) -> ProblemSource:
        """Where a benchmark's problems come from, and how they are put."""
        usual = {name: getattr(self, name) for name in ("instruction", "system_prompt")}
        return benchmark.model_copy(update={name: text for name, text in usual.items() if not getattr(benchmark, name)})

    def samples(self, benchmark: Benchmark) -> int:
        """Responses to a problem for each seed."""
        return benchmark.samples or (1 if benchmark.answered_once else self.sampling.samples)

    def graders(self, benchmark: Benchmark) -> tuple[Literal["verifier", "judge"], ...]:
        """Who grades a benchmark; the one whose verdict counts comes first."""
        usual = benchmark.preset.graded_by if benchmark.preset else "verifier"
        asked = benchmark.graded_by or self.graded_by or usual
        if asked == "both":
            return ("judge", "verifier") if benchmark.regime == "hard" else ("verifier", "judge")
        return (asked,)

    def write_identity(self) -> dict[str, Any]:
        """What the responses depend on: those to be had by other settings are another run's."""
        drawn = self.sampling.model_dump(mode="json", exclude={"samples", "seed"})
        return {"generator": self.generator.identity if self.generator else None, "sampling": drawn}


def preset_name(name: str) -> str:
    """A benchmark's name; a preset may be spelled with underscores."""
    dashed = name.replace("_", "-")
    return dashed if dashed in PRESETS else name


def verifier_identity(config: EvalConfig) -> str:
    """A short name of all that the verifier's verdicts depend on."""
    limits = config.verifier_processes.model_dump(exclude={"workers"})
    return f"verifier-{_digest([config.verifier.model_dump(mode='json'), limits])}"


def judge_identity(judge: JudgeVerifier) -> str:
    """A short name of all that the judge's verdicts depend on; an unnamed model is told by its address."""
    route = _ROUTE if judge.model else _ROUTE - {"url"}
    return f"judge-{_digest(judge.model_dump(mode='json', exclude=route))}"


def _digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
