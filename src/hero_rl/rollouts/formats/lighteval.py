"""`details_{task}_{date}.parquet` of lighteval: a document a row, with all responses to it.

As `EvaluationTracker.save_details` writes `DetailsLogger.Detail` (`src/lighteval/logging/`), commit 3fd15266 (May
2026). The right answer is the choice, or any of the choices, that `gold_index` names. A metric is the verdict where
there is one metric and one response.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row

__all__ = ["LIGHTEVAL"]


def _is_mine(row: Row) -> bool:
    return {"doc", "model_response", "metric"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    doc, response = row["doc"], row["model_response"]
    texts = response.get("text") or []
    metric = {name: value for name, value in (row["metric"] or {}).items() if value is not None}
    verdict = next(iter(metric.values())) if len(metric) == len(texts) == 1 else None
    if not texts:
        yield LeftOut("no completion")
    for number, text in enumerate(texts):
        yield {
            "id": f"{doc.get('id')}/{number}",
            "prompt": response.get("input") or doc["query"],
            "completion": text,
            "reference": _gold(doc),
            "verdict": verdict if verdict in (0, 1) else None,
            "task": doc.get("task_name"),
            "metric": metric,
        }


def _gold(doc: Any) -> list[str] | None:
    gold, choices = doc.get("gold_index"), doc.get("choices") or []
    several = gold if isinstance(gold, list) else [gold]
    return [choices[at] for at in several if isinstance(at, int) and 0 <= at < len(choices)] or None


_FIELDS = ("id", "prompt", "completion", "reference", "verdict")
LIGHTEVAL = Foreign("lighteval", _is_mine, _FIELDS, _rows)
