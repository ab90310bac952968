"""Which problems are easy to verify and which are hard, and which are drawn: pure functions of names and verdicts.

>>> verdict_of([1.0, 0.0], "any"), verdict_of([None, 0.0], "all"), verdict_of([None, 0.0], "any")
(1.0, 0.0, None)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hero_rl.data.settings import Sizes
from hero_rl.errors import DataError
from hero_rl.problems import draw

__all__ = ["REGIMES", "split_by_verdict", "verdict_of"]

REGIMES = ("easy", "hard", "mixed")


def verdict_of(verdicts: Sequence[float | None], easy_if: Literal["first", "any", "all"]) -> float | None:
    """One verdict for a problem from those of its solutions, in their order.

    An abstention (None) counts as what it is, an unknown: it decides only where no known verdict does.
    """
    if easy_if == "first":
        return verdicts[0] if verdicts else None
    decisive = 1.0 if easy_if == "any" else 0.0
    if decisive in verdicts:
        return decisive
    return None if None in verdicts or not verdicts else 1.0 - decisive


def split_by_verdict(
    easy: Sequence[str], hard: Sequence[str], sizes: Sizes, seed: int
) -> dict[str, dict[Literal["train", "validation"], list[tuple[str, str]]]]:
    """Draw the three regimes.

    Args:
        easy: ids of the problems that are easy to verify.
        hard: ids of those that are hard to verify.
        sizes: how many are drawn.
        seed: of the draws. They depend on it and on the ids, not on the order of the ids.

    Returns:
        Regime -> part -> (id, `easy` or `hard`) in the order of the draw; no id of a validation part is in a training
        part. The mixed regime alternates between the two.

    Raises:
        DataError: there are not as many problems as are to be drawn.
    """
    pools: dict[str, list[tuple[str, str]]] = {}
    for kind, ids, wanted in (("easy", easy, sizes.easy), ("hard", hard, sizes.hard)):
        if len(ids) < wanted + sizes.validation:
            raise DataError(
                f"{len(ids)} problems are {kind} to verify, and {wanted} + {sizes.validation} for validation are to be "
                f"drawn (sizes.{kind}, sizes.validation); with more problems, or smaller sizes, the verdicts are kept"
            )
        # The validation part is drawn first, so that it stays when more is trained on.
        pools[kind] = [(one, kind) for one in draw(ids, wanted + sizes.validation, seed, f"regimes {kind}")]
    held = {kind: pool[: sizes.validation] for kind, pool in pools.items()}
    trained = {kind: pool[sizes.validation :] for kind, pool in pools.items()}
    half = sizes.validation // 2
    return {
        "easy": {"train": trained["easy"], "validation": held["easy"]},
        "hard": {"train": trained["hard"], "validation": held["hard"]},
        "mixed": {
            "train": _alternating(trained["easy"][: sizes.mixed], trained["hard"][: sizes.mixed]),
            "validation": _alternating(held["easy"][:half], held["hard"][:half]),
        },
    }


def _alternating(first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [one for pair in zip(first, second, strict=True) for one in pair]
