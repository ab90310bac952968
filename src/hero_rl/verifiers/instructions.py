"""Does a completion follow instructions that can be checked: IFEval's and IFBench's (the package `if-verifiable`).

reference = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
InstructionVerifier().verify(Request(reference, "A sentence without one."))
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.extras import named
from hero_rl.verifiers.base import Reason, Request, Verdict
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["InstructionVerifier"]

_MOST = 64  # instructions of one prompt


class InstructionVerifier(BaseModel):
    """The share of a prompt's instructions that a completion follows.

    The reference is a row of IFEval or IFBench: `instruction_id_list` and `kwargs`, of one length, as JSON text or as a
    mapping; `kwargs` may be null where no instruction has settings. An instruction that the benchmark does not have,
    or whose settings it does not take, makes the reference unreadable.

    Some instructions need NLTK's data, which NLTK loads from the network once; where it cannot, the check abstains.

    Attributes:
        benchmark: whose instructions they are.
        strict: whether the completion has to follow as it stands; else also without its first or last line, or without
            asterisks, as the benchmarks' loose score has it.
        partial: whether some of the instructions give partial credit; without it, all of them are correct and less is
            not.
        max_characters: a longer completion is wrong without being checked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["instructions"] = "instructions"
    benchmark: Literal["ifeval", "ifbench"] = "ifeval"
    strict: bool = True
    partial: bool = True
    max_characters: Annotated[int, Field(gt=0)] = 65536

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.partial

    def warm_up(self) -> None:
        """Load the package, which takes longer than a check may.

        Raises:
            ModuleNotFoundError: `if-verifiable` is not installed.
        """
        _instructions(self.benchmark)

    def verify(self, request: Request) -> Verdict:
        """Judge one completion; raises where a check of the benchmark does.

        Raises:
            ModuleNotFoundError: `if-verifiable` is not installed.
        """
        start = time.perf_counter()
        known = _instructions(self.benchmark)
        asked = _asked(request.reference, known)
        if asked is None:
            return Verdict.of(Reason.REFERENCE_UNREADABLE)
        text = (after_thinking(request.completion) or "").strip()
        if not text:
            return Verdict.of(Reason.NO_ANSWER, None, time.perf_counter() - start)
        if len(text) > self.max_characters:
            return Verdict.of(Reason.ANSWER_TOO_LONG, None, time.perf_counter() - start)
        from if_verifiable.common import evaluate_instructions

        names, settings = asked
        results, scores = evaluate_instructions(text, names, settings, request.question, dict(known))
        share = scores.partial_strict if self.strict else scores.partial_loose
        seconds = time.perf_counter() - start
        if share == 1:
            return Verdict.of(Reason.MATCHED_EXACTLY, None, seconds)
        if share == 0 or not self.partial:
            return Verdict.of(Reason.MISMATCH, None, seconds)
        return Verdict(share, f"{round(share * len(results))} of {len(results)} instructions", None, seconds)


@functools.lru_cache(maxsize=2)
def _instructions(benchmark: str) -> Mapping[str, Any]:
    """The benchmark's checks by name."""
    try:
        from langdetect import DetectorFactory

        if benchmark == "ifeval":
            from if_verifiable.ifeval.instructions_registry import INSTRUCTION_DICT
        else:
            from if_verifiable.ifbench.instructions_registry import INSTRUCTION_DICT
    except ModuleNotFoundError as error:
        raise named(error) from None
    DetectorFactory.seed = 0  # the detection of languages draws lots
    return INSTRUCTION_DICT


def _asked(reference: Any, known: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]] | None:
    """Names and settings of the instructions; None where they cannot be read."""
    if isinstance(reference, str):
        try:
            reference = json.loads(reference)
        except (ValueError, RecursionError):
            return None
    if not isinstance(reference, Mapping):
        return None
    names = reference.get("instruction_id_list")
    if not isinstance(names, (list, tuple)) or not 0 < len(names) <= _MOST:
        return None
    settings = reference.get("kwargs") or [{}] * len(names)
    if not isinstance(settings, (list, tuple)) or len(settings) != len(names):
        return None
    settings = [{} if one is None else one for one in settings]
    if not all(map(_takes, [known] * len(names), names, settings)):
        return None
    return list(names), [{key: value for key, value in one.items() if value is not None} for one in settings]


def _takes(known: Mapping[str, Any], name: Any, settings: Any) -> bool:
    """Whether there is such an instruction that takes these settings and needs no more, which it would draw by lot."""
    if not isinstance(name, str) or name not in known or not isinstance(settings, Mapping):
        return False
    given = {key: value for key, value in settings.items() if value is not None}
    checker = known[name](name)
    try:
        checker.build_description(**given)
    except Exception:
        return False
    return set(checker.get_instruction_args_keys()) <= given.keys() | {"prompt"}
