"""Problems that Reasoning Gym makes (the package `reasoning-gym`), as rows with their references.

    rows = list(generated_rows(GeneratedProblems(generators={"chain_sum": {"max_terms": 3}}, size=100)))
    rows[0]  # {"prompt": "State the final answer ...", "answer": {"answer": "4", "metadata": {...}}, "domain": ...}

The reference is the whole entry but for its question, so that `ReasoningGymVerifier` can ask the generator itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

from pydantic import Field, field_validator

from hero_rl.errors import ConfigError
from hero_rl.extras import named, require
from hero_rl.settings import Block, did_you_mean
from hero_rl.verifiers.base import Request
from hero_rl.verifiers.gym import EVALUATING, ReasoningGymVerifier

__all__ = ["GeneratedProblems", "generated_rows"]


class GeneratedProblems(Block):
    """Problems of Reasoning Gym's generators.

    Attributes:
        generators: their names, a list or one text with commas between; or a mapping from each name to its settings,
            which Reasoning Gym documents, for example `{chain_sum: {max_terms: 3}}`.
        size: problems of each generator, unless its settings say otherwise.
        seed: of what is made, likewise.
        instruction: put under every question, so that the verifier finds the answer.
    """

    generators: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    size: Annotated[int, Field(ge=1)] = 500
    seed: Annotated[int, Field(ge=0)] = 0
    instruction: str = "Put your final answer between <answer> and </answer>."

    @field_validator("generators", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = [name.strip() for name in given.split(",") if name.strip()]
        if isinstance(given, (list, tuple)):
            return {name: {} for name in given}
        return (
            {name: {} if one is None else one for name, one in given.items()} if isinstance(given, Mapping) else given
        )

    def shared_with(self, other: GeneratedProblems) -> dict[str, range]:
        """Of each generator that makes some problems here and there, the seeds of those there."""
        mine, theirs = self._made(), other._made()
        return {
            name: seeds
            for name, (settings, seeds) in theirs.items()
            if name in mine and mine[name][0] == settings and _meet(mine[name][1], seeds)
        }

    def _made(self) -> dict[str, tuple[dict[str, Any], range]]:
        """Of each generator the other settings, and the seeds: it makes problem number n of `seed + n`."""
        made = {}
        for name, given in self.generators.items():
            settings = {"size": self.size, "seed": self.seed, **given}
            size, seed = settings.pop("size"), settings.pop("seed")
            if isinstance(size, int) and isinstance(seed, int):  # of any other, the generator says what is wrong
                made[name] = settings, range(seed, seed + size)
        return made

    def __str__(self) -> str:
        return f"reasoning-gym ({', '.join(self.generators)})"


def _meet(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def generated_rows(source: GeneratedProblems) -> Iterator[dict[str, Any]]:
    """Make the problems, one of each generator in turn; the same at every call.

    Yields:
        `prompt`, the text; `answer`, what `ReasoningGymVerifier` takes for a reference; `domain`, the generator's name;
        `id`.

    Raises:
        ModuleNotFoundError: `reasoning-gym` is not installed.
        ConfigError: there is no such generator, its answers cannot be judged, or it does not take its settings.
    """
    try:
        require("reasoning_gym")
    except ModuleNotFoundError as error:
        raise named(error) from None
    # Some generators draw from Python's global state, or from the order of sets, which differs from process to process.
    fixed = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
    code = "from hero_rl.problems.generated import _print_rows; _print_rows()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=source.model_dump_json(include=set(GeneratedProblems.model_fields)).encode(),
        stdout=subprocess.PIPE,
        env=os.environ | fixed,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if rows and "error" in rows[-1]:
        raise ConfigError(rows[-1]["error"])
    if done.returncode:
        raise RuntimeError(f"{source}: making problems ended with {done.returncode}; the reason is above")
    yield from rows


def _print_rows() -> None:
    """The work of the process: settings as JSON in, rows as JSON lines out, the last of which may be an error."""
    import numpy

    source = GeneratedProblems.model_validate_json(sys.stdin.buffer.read())
    out = sys.stdout
    random.seed(source.seed)
    numpy.random.seed(source.seed % 2**32)
    with redirect_stdout(sys.stderr):  # whatever else is printed
        try:
            for row in _rows(source):
                print(json.dumps(row), file=out)
        except ConfigError as error:
            print(json.dumps({"error": str(error)}), file=out)


def _rows(source: GeneratedProblems) -> Iterator[dict[str, Any]]:
    made = {name: _dataset(name, source) for name in source.generators}
    for number in range(max(map(len, made.values()))):
        for name, dataset in made.items():
            if number < len(dataset):
                row = _row(name, number, dataset[number], source.instruction)
                if number == 0:
                    _check_own_answer(name, row["answer"])
                yield row


def _dataset(name: str, source: GeneratedProblems) -> Any:
    from reasoning_gym import create_dataset
    from reasoning_gym.factory import DATASETS

    if name not in DATASETS:
        raise ConfigError(f"generators: reasoning-gym has no {name!r}{did_you_mean(name, DATASETS)}")
    if name in EVALUATING:
        raise ConfigError(f"generators.{name}: its scoring evaluates answers as code, so that none of them is judged")
    try:
        return create_dataset(name, **{"size": source.size, "seed": source.seed, **source.generators[name]})
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"generators.{name}: {error}") from None


def _row(name: str, number: int, entry: Mapping[str, Any], instruction: str) -> dict[str, Any]:
    reference = {"answer": entry["answer"], "metadata": entry["metadata"]}
    prompt = f"{entry['question']}\n{instruction}".strip()
    return {"prompt": prompt, "answer": reference, "domain": name, "id": f"{name}-{number}"}


def _check_own_answer(name: str, reference: dict[str, Any]) -> None:
    """Scoring does not know of settings that change how an answer is written."""
    own = reference["answer"]
    if own is None:  # of several solutions, any will do
        return
    written = json.loads(json.dumps(reference))
    verdict = ReasoningGymVerifier(max_characters=1 << 20).verify(Request(written, f"<answer>{own}</answer>"))
    if verdict.value != 1:
        raise ConfigError(f"generators.{name}: with these settings its own answer is not right ({verdict.reason})")
