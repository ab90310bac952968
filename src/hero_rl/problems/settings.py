"""Where problems come from, as a block of a configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hero_rl.problems.presets import PRESETS, Preset
from hero_rl.settings import Block

__all__ = ["ProblemSource", "block_of"]


def block_of(text: str) -> dict[str, str]:
    """The block that a text stands for: a dataset, or `PRESET=FILE`."""
    preset, equals, path = text.partition("=")
    return {"dataset": preset, "path": path} if equals and preset in PRESETS else {"dataset": text}


class ProblemSource(Block):
    r"""Problems of a file, of the Hub, or of a set that the paper uses, by name.

    A name of `PRESETS` fills in what is not given. Columns that are not named are told from the first row. In the place
    of a block its `dataset` alone will do, or `PRESET=FILE` for a preset's rows in a local file.

    Attributes:
        dataset: a .jsonl, .jsonl.gz, .json (lines) or .parquet file, an id at the Hub, or the name of a preset.
        path: a local file with the preset's rows, read in the place of the Hub.
        name: configuration of a Hub dataset.
        split: split of a Hub dataset.
        revision: branch, tag or commit of a Hub dataset; without one the branch `main` as it is now. Presets pin a
            commit where one is known.
        prompt_column: the question: text, or a list of chat messages.
        context_column: text that is put before the question, in the rows that have it.
        reference_column: the right answer: text, a number or a list of them, all of which are asked for. Of a column
            called `solution` the content of the last box is taken.
        id_column: names a problem. Without one, the first row's column `id`, else a hash of the question.
        keep_columns: other columns to keep.
        where: column -> the value, or list of values, that a row must have there to be used; `{}` uses all rows, of a
            preset too.
        duplicates: what becomes of a second row with the same id: an error, or `skip` it and count.
        empty_answers: what becomes of a row without a right answer: an error, or `skip` it and count.
        limit: use the first so many problems.
        sample: draw so many of the problems at random; the draw depends on seed and ids, not on the order of rows.
        seed: of the draw.
        system_prompt: put before every question, as a message of its own.
        instruction: put under every question, for example "Put the final answer in \boxed{}."
    """

    dataset: Annotated[str, Field(min_length=1)]
    path: str | None = None
    name: str | None = None
    split: str | None = None
    revision: str | None = None
    prompt_column: str | None = None
    context_column: str | None = None
    reference_column: str | None = None
    id_column: str | None = None
    keep_columns: tuple[str, ...] = ()
    where: dict[str, Any] | None = None
    duplicates: Literal["refuse", "skip"] | None = None
    empty_answers: Literal["refuse", "skip"] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    sample: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0
    system_prompt: str | None = None
    instruction: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        return block_of(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _check(self) -> ProblemSource:
        if self.path is not None and self.preset is None:
            raise ValueError(f"path needs a preset as dataset, one of {', '.join(PRESETS)}; else give dataset the file")
        return self

    @property
    def preset(self) -> Preset | None:
        """The preset of that name, if there is one."""
        return PRESETS.get(self.dataset)
