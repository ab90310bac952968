"""JSON objects from elsewhere, of which no two readers may think differently."""

from __future__ import annotations

from typing import Any

__all__ = ["each_key_once"]


_SHOWN = 60  # characters of a name


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its pairs, for `json.loads(text, object_pairs_hook=each_key_once)`.

    Raises:
        ValueError: a key is there twice, of which readers take the first or the last as they like; names it.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"{twice[:_SHOWN]!r} is there twice")
    return found
