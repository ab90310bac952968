"""Whose doing it is that a server refuses a request, breaks at it or says nothing: the answer's in it, or nobody's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TypeVar

__all__ = ["as_long_as", "settled"]

Asked = TypeVar("Asked", bound=Hashable)
Said = TypeVar("Said")

_FILLER = "Here is a line that says nothing of it. "


def settled(
    lost: Collection[Asked],
    control: Callable[[Asked], Asked | None],
    ask: Callable[[Sequence[Asked]], Sequence[Said]],
    is_judged: Callable[[Said], bool],
    is_silence: Callable[[Said], bool],
    ask_in_turn: Callable[[Sequence[Asked]], Sequence[Said]],
) -> tuple[dict[Asked, Said], list[Asked]]:
    """What the server says of requests that it did not judge, asked once more after it judged others in their place.

    One that it then refuses again is refused for what is in it. A text may not escape a 0 by being refused; a server
    that is restarting refuses what it would else judge. One on which it says nothing again is asked in turn with others
    that it answers (`JsonServer.post_in_turn`), since a silence may come of much being asked at one time.

    Args:
        lost: what was refused or had no usable reply.
        control: the same request with the reference as the answer; None where there is none.
        ask: asks the server.
        is_judged: whether it judged.
        is_silence: whether it gave no usable reply.
        ask_in_turn: asks those one by one.

    Returns:
        Word on those that could be asked again, those refused twice among them; and the controls that were judged.
        What is missing was lost for a reason that is not its own.
    """
    controls = {each: control(each) for each in lost}
    asked = [each for each in dict.fromkeys(controls.values()) if each is not None]
    judged = [each for each, said in zip(asked, ask(asked), strict=True) if is_judged(said)]
    again = [each for each in lost if controls[each] in judged]
    found = dict(zip(again, ask(again), strict=True))
    silent = [each for each, said in found.items() if is_silence(said)]
    return found | dict(zip(silent, ask_in_turn(silent), strict=True)), judged


def as_long_as(text: str, answer: str) -> str:
    """An answer after filler that makes it as long as a text, so that no length is taken for what the text says."""
    missing = len(text) - len(answer) - 1
    return answer if missing < 1 else (_FILLER * (missing // len(_FILLER) + 1))[:missing] + "\n" + answer
