"""Problems and demonstrations in the columns of TRL and in the Parquet schema of verl.

verl's is that of its own `examples/data_preprocess`: `data_source`, `prompt` (chat messages), `ability`,
`reward_model.style`, `reward_model.ground_truth`, `extra_info.split`, `extra_info.index`; fine-tuning reads `messages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.stages import open_folder
from hero_rl.files.whole import replacing, write_jsonl
from hero_rl.problems import Problem

__all__ = ["write_demonstrations", "write_problems"]


def write_problems(problems: Sequence[tuple[Problem, str]], part: str, trl: Path, verl: Path) -> None:
    """Write problems for both trainers.

    Args:
        problems: each with its verdict, `easy` or `hard`.
        part: `train` or `validation`.
        trl: JSON Lines with `prompt`, `answer`, `id`, `source`, `verifiability`, as `hero train` reads them.
        verl: Parquet.
    """
    for path in (trl, verl):
        open_folder(path.parent)
    write_jsonl(
        trl,
        (
            {"prompt": p.prompt, "answer": p.reference, "id": p.id, "source": p.source, "verifiability": kind}
            for p, kind in problems
        ),
    )
    _write_parquet(
        verl,
        [
            {
                "data_source": p.source,
                "prompt": [_message(message) for message in p.messages],
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": p.reference},
                "extra_info": {"split": part, "index": number, "id": p.id, "verifiability": kind},
            }
            for number, (p, kind) in enumerate(problems)
        ],
        _problem_schema(),
    )


def write_demonstrations(rows: Sequence[tuple[Problem, str, Mapping[str, Any]]], trl: Path, verl: Path) -> None:
    """Write prompts and completions for both trainers.

    Args:
        rows: the problem, its solution, and what else is known of it.
        trl: JSON Lines with `prompt`, `completion` and the rest, as `hero sft` reads them.
        verl: Parquet with `messages`.
    """
    for path in (trl, verl):
        open_folder(path.parent)
    write_jsonl(trl, ({"prompt": p.prompt, "completion": text, "id": p.id, **more} for p, text, more in rows))
    messages = [[*map(_message, p.messages), {"role": "assistant", "content": text}] for p, text, _ in rows]
    _write_parquet(verl, [{"messages": each} for each in messages], _demonstration_schema())


def _message(message: Mapping[str, Any]) -> dict[str, str]:
    return {"role": str(message["role"]), "content": str(message["content"])}


def _messages() -> Any:
    import pyarrow

    return pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))


def _problem_schema() -> Any:
    import pyarrow

    text = pyarrow.string()
    extra = [("split", text), ("index", pyarrow.int64()), ("id", text), ("verifiability", text)]
    return pyarrow.schema(
        [
            ("data_source", text),
            ("prompt", _messages()),
            ("ability", text),
            ("reward_model", pyarrow.struct([("style", text), ("ground_truth", text)])),
            ("extra_info", pyarrow.struct(extra)),
        ]
    )


def _demonstration_schema() -> Any:
    import pyarrow

    return pyarrow.schema([("messages", _messages())])


def _write_parquet(path: Path, rows: list[dict[str, Any]], schema: Any) -> None:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.Table.from_pylist(rows, schema=schema)
    except (UnicodeEncodeError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: a text that Parquet cannot hold: {error}") from None
    with replacing(path) as file:
        pyarrow.parquet.write_table(table, file)
