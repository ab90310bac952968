"""Whether what a program wrote, or the value it found, is what a test expects; compared outside the sandbox."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from hero_rl.verifiers.code.harness import encoded

__all__ = ["decoded", "same_output", "same_value"]

_LONGEST_NUMBER = 100
_ROOM = 4096  # characters that a right value may be longer than the expected one: `1.0` for `1`, `True` for it


def same_output(written: str, expected: str) -> bool:
    """Whether two texts have the same words line by line; two decimal numbers are the same if they are equal.

    Blank lines at the end and spaces around words do not count.
    """
    if len(written) > 8 * len(expected) + _ROOM:
        return False
    one, other = ([line.split() for line in text.rstrip().split("\n")] for text in (written, expected))
    return len(one) == len(other) and all(map(_same_words, one, other))


def _same_words(one: list[str], other: list[str]) -> bool:
    return one == other or (len(one) == len(other) and all(map(_same_word, one, other)))


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    if len(one) > _LONGEST_NUMBER or len(other) > _LONGEST_NUMBER:
        return False
    as_text = other.isdigit() and len(other) > 1 and other[0] == "0"  # digits, and no number: 00101
    if as_text or not one.isascii() or "_" in one:  # Decimal takes digits of all scripts, and 4_2
        return False
    try:
        numbers = Decimal(one), Decimal(other)
    except InvalidOperation:
        return False
    return all(number.is_finite() for number in numbers) and numbers[0] == numbers[1]


def same_value(said: str, expected: Any, json_only: bool = False, wrapped: bool = False) -> bool:
    """Whether what the harness said of a value is the expected one, by Python's `==`.

    Args:
        said: JSON of `encoded`; hostile.
        expected: the value.
        json_only: take tuples for lists, which JSON does not tell apart.
        wrapped: take the one value in a list for the list.
    """
    try:
        if (
            len(said) > 2 * len(json.dumps(encoded(expected))) + _ROOM
        ):  # equal ones are about as long; huge ones are work
            return False
        value = decoded(json.loads(said), json_only)
        return value == expected or (
            wrapped and isinstance(expected, list) and len(expected) == 1 and value == expected[0]
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return False


def decoded(given: Any, json_only: bool = False) -> Any:
    """The value of which `encoded` made JSON.

    Raises:
        ValueError, TypeError, KeyError: it made no such JSON.
    """
    if isinstance(given, list):
        raise TypeError("a list is written as a mapping")
    if not isinstance(given, dict):
        return given
    ((kind, content),) = given.items()
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "complex":
        return complex(*content)
    if kind == "dict":
        return {decoded(key, json_only): decoded(value, json_only) for key, value in content}
    kinds = {"list": list, "tuple": list if json_only else tuple, "set": set}
    return kinds[kind](decoded(each, json_only) for each in content)
