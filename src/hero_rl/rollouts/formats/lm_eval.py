"""`samples_{task}_{date}.jsonl` of lm-evaluation-harness, with `--log_samples`.

As `save_results_samples` of `lm_eval/loggers/evaluation_tracker.py` writes what `lm_eval/evaluator.py` collects, commit
4e7e0d47 (August 2026): a row for each document and each of the task's filters, one filter after the other. The rows of
the first filter are read, since all have the same responses; the metric of that filter is the verdict where there
is one response and it is 0 or 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, read_rows, short
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, the_rest

__all__ = ["LM_EVAL"]


def _is_mine(row: Row) -> bool:
    return {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    if row.get("filter") != _first_filter(place.file, place.file.stat().st_mtime_ns):
        yield LeftOut("another filter")
        return
    requests = row["resps"]
    if not isinstance(requests, list) or len(requests) != 1 or not _is_text(requests[0]):
        raise DataError(f"{place}: 'resps' must hold the texts of one request, not {short(requests)}: no generation")
    responses = requests[0]
    names = row.get("metrics") or []
    verdict = row.get(names[0]) if names and len(responses) == 1 else None
    for number, response in enumerate(responses):
        yield {
            "id": f"{row['doc_id']}/{number}",
            "group": row["doc_id"],
            "prompt": _prompt(row["arguments"]),
            "completion": response,
            "reference": row["target"],
            "verdict": verdict if verdict in (0, 1) else None,
        } | the_rest(row, "id", "doc_id", "arguments", "resps", "target")


@lru_cache(maxsize=1)
def _first_filter(file: Path, changed: int) -> Any:
    with closing(read_rows(file)) as rows:
        return next(row.get("filter") for _, row in rows)


def _is_text(responses: Any) -> bool:
    return isinstance(responses, list) and all(isinstance(one, str) for one in responses)


def _prompt(arguments: Any) -> Any:
    """The context of the first request: text, or messages, which are JSON text in a list of one."""
    context = arguments["gen_args_0"]["arg_0"]
    if isinstance(context, list) and len(context) == 1 and isinstance(context[0], str):
        return json.loads(context[0])
    return context


_FIELDS = ("id", "group", "prompt", "completion", "reference", "verdict")
LM_EVAL = Foreign("lm_eval", _is_mine, _FIELDS, _rows)
