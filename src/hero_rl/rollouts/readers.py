"""Rollouts from files, one at a time: never the whole file in memory.

    for rollout in read_rollouts("runs/a/rollouts"):
        print(rollout.step, rollout.verdict, rollout.score)

JSON Lines (also gzipped), Parquet and slime's torch files, told apart by suffix; whose rows they are is told from the
first one. A folder is read file by file in the order of the numbers in their names, which is the order of the steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import Place, read_rows
from hero_rl.foreign import refuse_no_source
from hero_rl.rollouts.formats import Foreign, LeftOut
from hero_rl.rollouts.formats.slime import samples_of
from hero_rl.rollouts.formats.verl import last_outputs, left_out
from hero_rl.rollouts.layouts import FORMATS, Columns, Format, Layout, foreign_of, layout_of
from hero_rl.rollouts.record import Rollout

__all__ = ["RolloutReader", "read_rollouts"]

_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet", ".pt")
_EVALUATION = ("eval_", "val_")
_IN_A_RUN = ("rollouts", "completions")  # hero train's and hero eval's; TRL's

_PlacedRows = Generator[tuple[Place, Any], None, None]


class RolloutReader:
    """The rollouts of a file or of a folder of files; each iteration reads them anew.

    Attributes:
        path: the file or the folder; of a run's folder that of its rollouts, `rollouts` or `completions`.
        files: what is read, in order. Of a folder with files named `train_...`, as a run leaves them, those alone; of
            another without those named `eval_...` and `val_...`.
        left_out: the folder's other files, those of evaluation among them.
        layout: which columns become which field.
        columns: names of the first row's columns.
        size: bytes of all files.
        position: how many of them the running iteration has read.
        tokenizer: the policy's, for files that hold token ids; None where none was named.
        passed_over: why -> how many rows of the running iteration were no rollouts.

    Raises:
        ConfigError: a column that was asked for is not there.
        DataError: there is no such file, it is of none of the formats, or it has no rows.
    """

    def __init__(
        self,
        path: str | Path,
        columns: Columns = Columns(),  # noqa: B008 - frozen
        format: Format | None = None,
        tokenizer: str | None = None,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise ConfigError(f"format {format!r} is none of {', '.join(FORMATS)}")
        self.path = _inside_a_run(Path(path))
        self.files, self.left_out = _files(self.path)
        self.size = sum(file.stat().st_size for file in self.files)
        self.position = 0
        self.passed_over: Counter[str] = Counter()
        self.tokenizer = tokenizer
        self.layout = self._layout(columns, format)

    def __iter__(self) -> Iterator[Rollout]:
        number = before = 0
        self.passed_over.clear()
        for file in self.files:
            with closing(self._rows(file, lambda done, before=before: self._moved(before + done))) as rows:
                for place, row in rows:
                    if isinstance(row, LeftOut):
                        self.passed_over[row.why] += 1
                    else:
                        yield from self.layout.rollouts(row, place, number)
                        number += 1
            before += file.stat().st_size
            self.position = before

    def _moved(self, position: int) -> None:
        self.position = position

    def _layout(self, columns: Columns, format: Format | None) -> Layout:
        self._foreign = self._foreign_of(columns, format)
        passed: Counter[str] = Counter()
        for file in self.files:
            with closing(self._converted(file)) as rows:
                for _, row in rows:
                    if isinstance(row, LeftOut):
                        passed[row.why] += 1
                        continue
                    self.columns = sorted(row)
                    try:
                        named: Any = self._foreign.name if self._foreign else format
                        return layout_of(row, columns, named, file)
                    except (ConfigError, DataError) as error:
                        raise type(error)(f"{file}: {error}") from None
        raise DataError(f"{self.path}: no rows" + (f" but such with {dict(passed)}" if passed else ""))

    def _foreign_of(self, columns: Columns, format: Format | None) -> Foreign | None:
        for file in self.files:
            with closing(_raw(file)) as rows:
                for _, row in rows:
                    return foreign_of(row, columns, format)
        return None

    def _rows(self, file: Path, moved: Callable[[int], object]) -> _PlacedRows:
        """The file's rows as the layout reads them, and what stands for those that are no rollouts."""
        if self.layout.format != "verl" or "uid" not in self.columns:
            yield from self._converted(file, moved)
            return
        with closing(read_rows(file)) as rows:  # read twice, so that no session has to be held
            last = last_outputs(row for _, row in rows)
        for place, row in read_rows(file, moved=moved):
            yield place, left_out(row, last) or row

    def _converted(self, file: Path, moved: Callable[[int], object] = lambda position: None) -> _PlacedRows:
        for place, row in _raw(file, moved):
            if self._foreign is None:
                yield place, row
                continue
            try:
                for one in self._foreign.rows(row, place, self._decode):
                    yield place, one
            except (KeyError, IndexError, TypeError, AttributeError) as error:
                raise DataError(f"{place}: not as {self._foreign.name} writes it: {error!r}") from None

    def _decode(self, tokens: list[int]) -> str:
        return self._decoder.decode(tokens, skip_special_tokens=True)

    @cached_property
    def _decoder(self) -> Any:
        """The tokenizer of the policy.

        Raises:
            ConfigError: none was named, or it cannot be loaded.
        """
        if self.tokenizer is None:
            raise ConfigError(f"{self.path} holds token ids: name the policy's tokenizer (--tokenizer)")
        refuse_no_source("tokenizer", self.tokenizer)
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.tokenizer)
        except (OSError, ValueError) as error:
            raise ConfigError(f"tokenizer: {error}") from None


def read_rollouts(
    path: str | Path,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    format: Format | None = None,
    tokenizer: str | None = None,
) -> Iterator[Rollout]:
    """Stream the rollouts of a file or of a folder of files.

    Args:
        path: JSON Lines (also gzipped) or Parquet, or a folder of such files.
        columns: names that take the place of the format's usual ones.
        format: one of `FORMATS`, where it shall not be guessed.
        tokenizer: folder or Hub name of the policy's, for files that hold token ids.

    Raises:
        ConfigError, DataError: as `RolloutReader`; a bad row is named with its file, its row and its column.
    """
    return iter(RolloutReader(path, columns, format, tokenizer))


def _raw(
    file: Path, moved: Callable[[int], object] = lambda position: None
) -> Generator[tuple[Place, Any], None, None]:
    """The rows as the file has them."""
    yield from samples_of(file) if file.suffix == ".pt" else read_rows(file, moved=moved)


def _inside_a_run(path: Path) -> Path:
    """The folder of rollouts in the folder of a run, whose own files are its log and its records; else the path."""
    inside = (path / name for name in _IN_A_RUN)
    return next((folder for folder in inside if any(f.name.endswith(_SUFFIXES) for f in folder.glob("*"))), path)


def _files(path: Path) -> tuple[list[Path], list[Path]]:
    """The files to read in order, and those left out."""
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: No such file or directory")
        return [path], []
    found = [file for file in path.iterdir() if file.is_file() and file.name.endswith(_SUFFIXES)]
    found = sorted((file for file in found if not file.name.startswith(".")), key=_in_order)
    if not found:
        inside = sorted(file.parent.name for file in path.glob("*/*") if file.name.endswith(_SUFFIXES))
        inside = [name for name in inside if not name.startswith("checkpoint-")]
        hint = f"; did you mean {path / inside[0]}?" if inside else ""
        raise DataError(f"{path}: no file that ends in {', '.join(_SUFFIXES)}{hint}")
    training = [file for file in found if file.name.startswith("train_")]
    training = training or [file for file in found if not file.name.startswith(_EVALUATION)]
    # The batches of an evaluation are no steps of the run: a rule's state never moves on them.
    return (training, [file for file in found if file not in training]) if training else (found, [])


def _in_order(file: Path) -> list[tuple[int, str]]:
    """Sorts by the numbers in a name: 9.jsonl before 10.jsonl."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name)]
