"""Preference pairs for the reward model, on easy types only: there the rule verifier is never wrong.

The oracle has no part in it: a rollout is right where it matches the one spelling of its answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hero_lab.arena.answers import ANSWER_WORD, FORMS, TAUGHT_FORMS, answer_of
from hero_lab.arena.demonstrations import demonstrate, slipped_number
from hero_lab.arena.sampling import sample_completions
from hero_lab.arena.settings import PairSettings
from hero_lab.arena.task import EASY_TYPES, Exercise, ProblemType, sample_problems

__all__ = ["Preference", "build_pairs"]

# Prompts sampled at a time.
_CHUNK = 512

Corruption = Callable[[random.Random, Exercise, str], str]


@dataclass(frozen=True)
class Preference:
    """A prompt and two completions, the first of them the better."""

    problem: Exercise
    chosen: str
    rejected: str


def build_pairs(
    policy: PreTrainedModel, noisy: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: PairSettings
) -> list[Preference]:
    """All pairs of the settings, shuffled.

    Raises:
        RuntimeError: a model's rollouts are so seldom right, or so seldom wrong, that they make no pairs.
    """
    rng = random.Random(f"pairs {settings.seed}")
    pairs = _rollout_pairs(rng, policy, tokenizer, settings, settings.policy, 1.0)
    verified = [(pair.problem, pair.chosen) for pair in pairs]
    pairs += _rollout_pairs(rng, noisy, tokenizer, settings, settings.noisy, 1.0)
    pairs += _rollout_pairs(rng, policy, tokenizer, settings, settings.hot, settings.hot_temperature)
    for corrupt, count in (
        (_change_number, settings.wrong_number),
        (_change_length, settings.wrong_length),
        (_change_shape, settings.wrong_shape),
    ):
        pairs += _corrupted_pairs(rng, verified, corrupt, count)
    pairs += islice(_demonstration_pairs(rng, settings.demonstration_slip), settings.slipped)
    pairs += [_turned(pair) for pair in _corrupted_pairs(rng, verified, _lengthen, settings.longer)]
    rng.shuffle(pairs)
    return pairs


def _is_verified(problem: Exercise, completion: str) -> bool:
    (form,) = TAUGHT_FORMS[problem.type]
    return answer_of(completion) == FORMS[form](problem.u, problem.v)


def _rollout_pairs(
    rng: random.Random,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: PairSettings,
    count: int,
    temperature: float,
) -> list[Preference]:
    """Right against wrong rollouts of one prompt."""
    problems = sample_problems(rng, EASY_TYPES, "train")
    pairs: list[Preference] = []
    while len(pairs) < count:
        before = len(pairs)
        chunk = list(islice(problems, _CHUNK))
        completions = sample_completions(
            model,
            tokenizer,
            [problem.prompt for problem in chunk],
            samples=settings.rollouts_per_prompt,
            temperature=temperature,
            seed=rng.getrandbits(32),
        )
        for problem, rollouts in zip(chunk, completions, strict=True):
            pairs += _pair_up(problem, rollouts, settings.partners)
        if len(pairs) == before:
            raise RuntimeError(
                f"{_CHUNK} prompts at temperature {temperature} gave no right and wrong rollouts to pair"
            )
    return pairs[:count]


def _pair_up(problem: Exercise, rollouts: list[str], partners: int) -> Iterator[Preference]:
    """Each right rollout with different wrong ones, going round."""
    right = [rollout for rollout in rollouts if _is_verified(problem, rollout)]
    wrong = [rollout for rollout in rollouts if not _is_verified(problem, rollout)]
    if right and wrong:
        rejected = cycle(wrong)
        for chosen in right:
            for _ in range(min(partners, len(wrong))):
                yield Preference(problem, chosen, next(rejected))


def _corrupted_pairs(
    rng: random.Random, verified: list[tuple[Exercise, str]], corrupt: Corruption, count: int
) -> Iterator[Preference]:
    for _ in range(count):
        problem, completion = rng.choice(verified)
        yield Preference(problem, completion, corrupt(rng, problem, completion))


def _change_number(rng: random.Random, problem: Exercise, completion: str) -> str:
    """One number of the chain or the answer off."""
    words = completion.split()
    place = rng.choice([place for place, word in enumerate(words) if word.isdecimal()])
    words[place] = str(slipped_number(rng, int(words[place])))
    return " ".join(words)


def _change_length(rng: random.Random, problem: Exercise, completion: str) -> str:
    """Some of the last words missing, or some words too many."""
    words = completion.split()
    if rng.random() < 0.5:
        return " ".join(words[: rng.randrange(1, len(words))])
    return _lengthen(rng, problem, completion)


def _lengthen(rng: random.Random, problem: Exercise, completion: str) -> str:
    """Some of its words again at the end."""
    words = completion.split()
    return " ".join(words + [rng.choice(words) for _ in range(rng.randint(1, 3))])


def _turned(pair: Preference) -> Preference:
    return Preference(pair.problem, pair.rejected, pair.chosen)


def _change_shape(rng: random.Random, problem: Exercise, completion: str) -> str:
    """The right numbers in the spelling of another easy type."""
    others: list[ProblemType] = [type_ for type_ in EASY_TYPES if type_ != problem.type]
    (form,) = TAUGHT_FORMS[rng.choice(others)]
    chain, _, _ = completion.rpartition(ANSWER_WORD)
    return f"{chain}{ANSWER_WORD} {FORMS[form](problem.u, problem.v)}"


def _demonstration_pairs(rng: random.Random, slip: float) -> Iterator[Preference]:
    """Right against slipped demonstrations."""
    for problem in sample_problems(rng, EASY_TYPES, "train"):
        rejected = demonstrate(rng, problem, slip)
        if not _is_verified(problem, rejected):
            yield Preference(problem, demonstrate(rng, problem), rejected)
