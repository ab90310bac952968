"""Preference pairs for a reward model: read from a file or the Hub, or made of labelled rollouts.

    >>> rows = [Rollout("1 + 1 =", text, verdict=float(text == "2")) for text in ("2", "3", "4")]
    >>> [(pair.chosen[-1]["content"], pair.rejected[-1]["content"]) for pair in pairs_of_rollouts(rows, 8, seed=0)[0]]
    [('2', '3'), ('2', '4')]

Both sides of a pair are whole conversations, as a reward model scores them. Nothing is left out without being counted.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.messages import is_plain_message
from hero_rl.files.rows import Place, field, short
from hero_rl.rollouts import Columns, Rollout, RolloutReader
from hero_rl.training.configs.reward import RewardDataConfig
from hero_rl.training.rows.prompts import source_rows

__all__ = [
    "PreferencePair",
    "fingerprint",
    "in_words",
    "load_pairs",
    "pairs_of_rollouts",
    "read_pairs",
    "split_by_prompt",
]

Messages: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class PreferencePair:
    """Two conversations, the first of them the better.

    Attributes:
        prompt: names the prompt that both answer; None where it cannot be told from the answers.
        chosen: the better conversation.
        rejected: the worse.
    """

    prompt: str | None
    chosen: Messages
    rejected: Messages


def load_pairs(data: RewardDataConfig, seed: int) -> tuple[list[PreferencePair], dict[str, int]]:
    """The pairs that a configuration names, or those that its labelled rollouts make, and their counts.

    Raises:
        ConfigError: the rollouts have neither verdicts nor labels, or no such column.
        DataError: a file is missing or unreadable, or a row is bad, or there are no pairs.
    """
    if data.rollouts is None:
        pairs, counts = read_pairs(data)
    else:
        reader = RolloutReader(data.rollouts, Columns(**data.columns), data.format)
        if "verdict" not in reader.layout.source:
            raise ConfigError(
                f"data.rollouts: {data.rollouts} has neither verdicts nor labels; `hero score` adds verdicts"
            )
        pairs, counts = pairs_of_rollouts(reader, data.pairs_per_prompt, seed)
    if not pairs:
        raise DataError(f"{data.pairs or data.rollouts}: no pairs to train on; {in_words(counts)}")
    return pairs, counts


def pairs_of_rollouts(
    rollouts: Iterable[Rollout], pairs_per_prompt: int, seed: int
) -> tuple[list[PreferencePair], dict[str, int]]:
    """Correct against incorrect completions of one prompt, whatever step or group they come from.

    The choice depends on the seed and the prompt, not on what else is in the file.

    Returns:
        The pairs, and counts: rollouts, those left out (unjudged; partial, being neither correct nor incorrect;
        duplicate; contradictory, being one completion with both verdicts), prompts, those left out as uniform, and
        pairs.
    """
    counts = Counter(
        rollouts=0, unjudged=0, partial=0, duplicates=0, contradictory=0, prompts=0, uniform_prompts=0, pairs=0
    )
    judged: dict[str, _Judged] = {}
    for rollout in rollouts:
        counts["rollouts"] += 1
        if rollout.verdict is None or math.isnan(rollout.verdict):
            counts["unjudged"] += 1
            continue
        if 0 < rollout.verdict < 1:
            counts["partial"] += 1
            continue
        key = _key(rollout.prompt)
        completions = judged.setdefault(key, _Judged(_messages(rollout.prompt, "user"), {})).completions
        said = completions.setdefault(_key(rollout.completion), (_messages(rollout.completion, "assistant"), []))
        said[1].append(rollout.verdict == 1)
    pairs = [
        PreferencePair(key, [*prompt.messages, *chosen], [*prompt.messages, *rejected])
        for key, prompt in judged.items()
        for chosen, rejected in prompt.matches(pairs_per_prompt, random.Random(f"{seed} {key}"), counts)
    ]
    counts.update(prompts=len(judged), pairs=len(pairs))
    return pairs, dict(counts)


@dataclass(frozen=True)
class _Judged:
    """A prompt, and by completion its messages and the verdicts of its copies."""

    messages: Messages
    completions: dict[str, tuple[Messages, list[bool]]]

    def matches(self, most: int, rng: random.Random, counts: Counter[str]) -> Iterator[tuple[Messages, Messages]]:
        """Different (correct, incorrect) pairs in which each completion has about as many partners as the next."""
        sides: dict[bool, list[Messages]] = {True: [], False: []}
        for messages, verdicts in self.completions.values():
            if len(set(verdicts)) > 1:
                counts["contradictory"] += len(verdicts)
            else:
                counts["duplicates"] += len(verdicts) - 1
                sides[verdicts[0]].append(messages)
        correct, incorrect = sides[True], sides[False]
        if not correct or not incorrect:
            counts["uniform_prompts"] += 1
            return
        rng.shuffle(correct)
        rng.shuffle(incorrect)
        # Going round both lists meets every pair of places once if the second starts one later after each whole turn.
        turn = math.lcm(len(correct), len(incorrect))
        for n in range(min(most, len(correct) * len(incorrect))):
            yield correct[n % len(correct)], incorrect[(n + n // turn) % len(incorrect)]


def read_pairs(data: RewardDataConfig) -> tuple[list[PreferencePair], dict[str, int]]:
    """The pairs of a file or of a Hub dataset.

    Returns:
        The pairs, and counts: rows, those left out (duplicate; alike, with the same text on both sides), prompts (0
        where they cannot be told) and pairs.

    Raises:
        DataError: the file is missing or unreadable, or a row is bad; the message names file and row.
    """
    counts = Counter(rows=0, duplicates=0, alike=0, prompts=0, pairs=0)
    pairs: dict[str, PreferencePair] = {}
    for place, row in source_rows("data.pairs", str(data.pairs), data.name, data.split):
        counts["rows"] += 1
        pair = _pair(row, data.columns, place)
        name = json.dumps([_key(pair.chosen), _key(pair.rejected)])
        if pair.chosen == pair.rejected:
            counts["alike"] += 1
        elif name in pairs:
            counts["duplicates"] += 1
        else:
            pairs[name] = pair
    prompts = {pair.prompt for pair in pairs.values()} - {None}
    counts.update(prompts=len(prompts), pairs=len(pairs))
    return list(pairs.values()), dict(counts)


def split_by_prompt(
    pairs: Sequence[PreferencePair], fraction: float, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Pairs to train on and pairs held out; no prompt is on both sides.

    Raises:
        ConfigError: there are too few prompts for a share of them, or a pair's prompt is not known.
    """
    if not fraction:
        return list(pairs), []
    if any(pair.prompt is None for pair in pairs):
        raise ConfigError(
            "data.eval_fraction: whole texts cannot be split by prompt; put the prompt in a column 'prompt', or in one "
            "that data.columns names"
        )
    prompts = sorted({str(pair.prompt) for pair in pairs}, key=lambda prompt: _digest(f"{seed} {prompt}"))
    if len(prompts) < 2:
        raise ConfigError(f"data.eval_fraction: {len(prompts)} prompts with pairs are too few to hold one out")
    held = set(prompts[: min(max(1, round(fraction * len(prompts))), len(prompts) - 1)])
    return [pair for pair in pairs if pair.prompt not in held], [pair for pair in pairs if pair.prompt in held]


def in_words(counts: Mapping[str, int]) -> str:
    """Counts as one line says them."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())


def fingerprint(pairs: Iterable[PreferencePair]) -> str:
    """A digest of the pairs in their order: whether a resumed run still has the data that it began with."""
    return _digest("\n".join(_key([pair.chosen, pair.rejected]) for pair in pairs))


def _pair(row: dict[str, Any], columns: Mapping[str, str], place: Place | str) -> PreferencePair:
    """One row's pair.

    Messages that begin with another role than the assistant's hold the prompt themselves, also where there is a column
    of prompts besides.
    """
    sides = []
    for name in ("chosen", "rejected"):
        column = columns.get(name, name)
        sides.append(_checked(field(row, column, place), column, "assistant", place))
    column = columns.get("prompt", "prompt")
    given = field(row, column, place) if "prompt" in columns else row.get(column)
    prompt = [] if given is None else _checked(given, column, "user", place)
    begun = [side[0]["role"] != "assistant" for side in sides]
    if begun[0] != begun[1]:
        raise DataError(f"{place}: one of chosen and rejected holds the prompt, the other does not")
    if not begun[0]:
        return PreferencePair(_key(prompt) if prompt else None, [*prompt, *sides[0]], [*prompt, *sides[1]])
    shared = 0
    while shared < min(map(len, sides)) - 1 and sides[0][shared] == sides[1][shared]:
        shared += 1
    return PreferencePair(_key(sides[0][:shared]) if shared else None, sides[0], sides[1])


def _checked(value: Any, column: str, role: str, place: Place | str) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if not isinstance(value, list) or not value or not all(is_plain_message(message) for message in value):
        raise DataError(f"{place}: {column!r} must be text or a list of chat messages, not {short(value)}")
    if role == "assistant" and value[-1]["role"] != "assistant":
        raise DataError(f"{place}: {column!r} must end with the assistant's message, not the {value[-1]['role']}'s")
    return [{"role": message["role"], "content": message["content"]} for message in value]


def _messages(text: str | Messages, role: str) -> Messages:
    return [{"role": role, "content": text}] if isinstance(text, str) else text


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
