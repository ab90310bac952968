"""What is asked of a model and what comes back: a text with the reason of its end, or a failure with its reason.

    with OpenAIGeneratorConfig(url="http://localhost:8000").build(Sampling(max_tokens=512)) as generator:
        for made in generator.generate([GenerationRequest("p1/0", "What is 2/4?", seed_of(0, "p1", 0))]):
            print(made.key, made.text, made.finish_reason, made.failure)

A failure of the infrastructure is never an empty text: what a model did not say, nobody may judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from hero_rl.files.rows import Text
from hero_rl.settings import Block

__all__ = ["Generated", "GenerationRequest", "Generator", "Sampling", "seed_of"]

_SEEDS = 2**31  # every server takes so many


class Sampling(Block):
    """How tokens are drawn; the usual values are those of the paper's evaluation.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_p: tokens are drawn from the likeliest ones that have this much probability together.
        max_tokens: of one completion; a longer one is cut off, which its `finish_reason` says.
        samples: completions of one prompt; a generator is asked for each by itself.
        seed: of everything that is drawn.
        stop: texts that end a completion; they do not belong to it.
    """

    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Annotated[int, Field(ge=1)] = 8192
    samples: Annotated[int, Field(ge=1)] = 8
    seed: Annotated[int, Field(ge=0)] = 0
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()


@dataclass(frozen=True)
class GenerationRequest:
    """One completion that is wanted.

    Attributes:
        key: the caller's name for it.
        prompt: text or chat messages.
        seed: of its sampling; see `seed_of`.
    """

    key: str
    prompt: Text
    seed: int


@dataclass(frozen=True)
class Generated:
    """What came of a request.

    Attributes:
        key: the request's.
        text: the completion, which a model may leave empty; None where there is none, and `failure` says why.
        finish_reason: `stop` or `length`, `unknown` where the server does not say; None of a failure.
        tokens: of the completion; None where they were not counted.
        seconds: from sending to the last token; in one process, of the whole batch.
        failure: why there is no text; None where there is.

    Raises:
        ValueError: both text and failure, or neither.
    """

    key: str
    text: str | None
    finish_reason: str | None = None
    tokens: int | None = None
    seconds: float = 0.0
    failure: str | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.failure is None):
            raise ValueError("a request comes to either a text or a failure")


class Generator(Protocol):
    """Gives texts; holds a model or connections until it is closed."""

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        ...

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generated]:
        """One result a request, each as soon as it is there, in any order; requests are read as they are needed.

        Raises:
            ConfigError: no text can ever come as things are set.
            GenerationError: the model is gone; what was given out before stands.
        """
        ...

    def close(self) -> None:
        """End what it holds open."""
        ...

    def __enter__(self) -> Generator: ...

    def __exit__(self, *error: object) -> None: ...


def seed_of(*parts: str | int) -> int:
    """A seed that depends on these parts alone, such as (seed, problem, sample), and on no order and no process."""
    text = json.dumps(parts, ensure_ascii=True).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % _SEEDS
