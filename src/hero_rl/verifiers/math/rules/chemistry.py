r"""Formulas of chemistry: `H_2SO_4`, `\ce{CO2}`, `SO_4^{2-}`, reactions."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["is_ion", "same_substance"]

_ELEMENTS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru
Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At
Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm
"""
_ELEMENT = "(?:" + "|".join(sorted(_ELEMENTS.split(), key=len, reverse=True)) + ")"
_GROUP = rf"(?:{_ELEMENT}\d*)"
_SPECIES = re.compile(rf"\d*(?:{_GROUP}|\({_GROUP}+\)\d*)+(?:\^\d*[+-])?")
_MARKS = re.compile(r"\\(?:ce|mathrm|text\w*|mathsf|rm)(?![A-Za-z])|\\[,;:! ]|[\s${}_~]")
_ARROWS = re.compile(r"\\(?:to|(?:long)?rightarrow|rightleftharpoons|rightleftarrows)(?![A-Za-z])|-+>|[→⟶⇌]")
_MAY_BE_ONE = re.compile(r"[\s$({]*\d{0,3}[\s$({]*(?:\\(?:ce|mathrm|text|mathsf|rm)|[A-Z])[^=<>]*(?:->[^=<>]*)?$")
_LONGEST = 200


def same_substance(expected: str, said: str) -> bool:
    """Whether both are one formula of chemistry, or one reaction, in whatever way it is set.

    Safe: the elements, their numbers and charges are compared as they stand; only the sum of a side has no order.
    """
    one = _read(expected)
    return one is not None and one == _read(said)


def is_ion(text: str) -> bool:
    """Whether a reference is a formula with a charge, or a reaction, which no other rule can read."""
    found = _read(text)
    return found is not None and (len(found) > 1 or any("^" in species for side in found for species in side))


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[tuple[str, ...], ...] | None:
    """The sides of a reaction, each its substances; one side for a formula alone, None where it is none."""
    if len(text) > _LONGEST or not _MAY_BE_ONE.match(text):
        return None
    sides = tuple(_substances(side) for side in _ARROWS.split(text))
    return sides if len(sides) <= 2 and all(sides) else None  # pyright: ignore[reportReturnType]


def _substances(side: str) -> tuple[str, ...]:
    plain, found, place = _MARKS.sub("", side), list[str](), 0
    while match := _SPECIES.match(plain, place):
        found.append(match.group())
        place = match.end()
        if place == len(plain):
            return tuple(sorted(found))
        if plain[place] != "+":
            break
        place += 1
    return ()
