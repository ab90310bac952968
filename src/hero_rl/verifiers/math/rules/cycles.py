"""Permutations as products of disjoint cycles, which are texts of their own: (1 3 2)(4 5)."""

from __future__ import annotations

import re

__all__ = ["is_permutation", "same_permutation"]

_CYCLE = re.compile(r"\(\s*(\d{1,3}(?:[\s,]+\d{1,3})*)\s*\)")
_BETWEEN = re.compile(r"\\(?:cdot|circ)(?![A-Za-z])|[\s,]")
_LONGEST = 400


def _read(text: str) -> dict[int, int] | None:
    """Where each number that moves goes; None where the text is no product of disjoint cycles."""
    cycles = _CYCLE.findall(text) if len(text) <= _LONGEST else []
    if not cycles or _BETWEEN.sub("", _CYCLE.sub("", text)):
        return None
    goes: dict[int, int] = {}
    seen: set[int] = set()
    for cycle in cycles:
        written = cycle.replace(",", " ").split()
        members = [int(number) for number in (written if len(written) > 1 else written[0])]  # (132) is (1 3 2)
        if len(set(members)) < len(members) or seen & set(members):
            return None
        seen.update(members)
        goes.update(zip(members, [*members[1:], members[0]], strict=True))
    return {number: image for number, image in goes.items() if number != image}


def is_permutation(text: str) -> bool:
    """Whether a reference is a permutation in cycles: members parted by spaces, not by commas as in a tuple."""
    return "," not in text and bool(re.search(r"\d\s+\d", text)) and _read(text) is not None


def same_permutation(expected: str, said: str) -> bool:
    """Whether both move every number to the same place.

    Safe: cycles that share no number commute, so neither their order nor the member that each begins with says
    anything; products of others are not read.
    """
    return is_permutation(expected) and _read(expected) == _read(said)
