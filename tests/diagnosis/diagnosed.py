"""Logs of rollouts from plain lists, and one that has nothing to complain of."""

import random
from dataclasses import dataclass

from hero_rl.diagnosis import Collector, diagnose
from hero_rl.rollouts import Rollout
from hero_rl.rules import Hero

SOURCE = {"path": "made up", "format": "rollouts", "verdicts_from": "v", "scores_from": "s", "labels_from": None}


@dataclass
class Word:
    verdict: float | None
    score: float | None
    reason: str | None = None
    answer: str | None = None
    unverified: bool = False


def nothing_for_nan(value):
    return None if value is None or value != value else value


def collected(batches, lengths=None):
    """A collector of batches, each a list of (verdict, score, group) or (verdict, score, group, label)."""
    collector, number = Collector(), 0
    for step, batch in enumerate(batches):
        rollouts, words, labels = [], [], []
        for row in batch:
            verdict, score, group, *label = row
            length = lengths[number] if lengths else 10 + number % 7
            text = f"{number} ".ljust(length, "x")
            rollouts.append(Rollout(f"prompt {step} {group}", text, group=group, step=step))
            words.append(Word(nothing_for_nan(verdict), nothing_for_nan(score)))
            labels.append(nothing_for_nan(label[0]) if label else None)
            number += 1
        collector.add(rollouts, words, labels)
    return collector


def quiet(seed=0):
    """Sixty mixed groups in six steps, well ranked, nothing missing, lengths of no account."""
    rng = random.Random(seed)
    batches = [[] for _ in range(6)]
    for number in range(60):
        right, spread = rng.randint(3, 5), rng.choice([0.6, 0.8, 1.0, 1.2])
        for n in range(8):
            verdict = float(n < right)
            batches[number % 6].append((verdict, 2 * verdict + rng.gauss(0, 0.35) * spread, number))
    lengths = [rng.randint(20, 200) for _ in range(480)]
    return collected(batches, lengths)


def diagnosed(collector, rule=Hero(), grid=(), **source):  # noqa: B008
    return diagnose(collector, SOURCE | source, rule, grid)
