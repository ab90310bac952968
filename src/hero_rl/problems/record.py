"""One problem as every source is read into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hero_rl.files.rows import Place, Text

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """A question with its right answer.

    Attributes:
        id: names the problem within its source.
        prompt: what a model is given: text, or chat messages where the source has them or there is a system prompt.
        reference: the right answer.
        source: name of the preset, id at the Hub, or the file's name without its suffix.
        question: the question alone, without system prompt and instruction.
        extra: the other columns that were asked for.
        place: where it was read, for messages. Not compared.
    """

    id: str
    prompt: Text
    reference: str
    source: str
    question: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    place: Place | str = field(default="", compare=False, repr=False)

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The prompt as chat messages."""
        return [{"role": "user", "content": self.prompt}] if isinstance(self.prompt, str) else list(self.prompt)
