"""Whose doing it is that a server refuses a request, or breaks at it: the answer's in it, or nobody's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TypeVar

__all__ = ["settled"]

Asked = TypeVar("Asked", bound=Hashable)
Said = TypeVar("Said")


def settled(
    refused: Collection[Asked],
    control: Callable[[Asked], Asked | None],
    ask: Callable[[Sequence[Asked]], Sequence[Said]],
    is_judged: Callable[[Said], bool],
) -> tuple[dict[Asked, Said], list[Asked]]:
    """What the server says of refused requests, asked once more after it has judged another in their place.

    One that it then refuses again is refused for what is in it. A text may not escape a 0 by being refused; a server
    that is restarting refuses what it would else judge.

    Args:
        refused: what was refused.
        control: the same request with the reference as the answer; None where there is none.
        ask: asks the server.
        is_judged: whether it judged.

    Returns:
        Word on those that could be asked again, those refused twice among them; and the controls that were judged.
        What is missing was refused for a reason that is not its own.
    """
    controls = {each: control(each) for each in refused}
    asked = [each for each in dict.fromkeys(controls.values()) if each is not None]
    judged = [each for each, said in zip(asked, ask(asked), strict=True) if is_judged(said)]
    again = [each for each in refused if controls[each] in judged]
    return dict(zip(again, ask(again), strict=True)), judged
