"""`results.jsonl` of verifiers' evaluations, and of prime-rl's runs while it wrote them with the same code.

As `state_to_output` and `save_outputs` of `verifiers/legacy/utils/save_utils.py` write it, commit a60a606e (August
2026). A rollout that failed has `completion: null`. Tool calls are JSON text, one a call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, the_rest

__all__ = ["VERIFIERS", "with_calls"]


def _is_mine(row: Row) -> bool:
    return {"example_id", "prompt", "completion", "reward", "timing"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    if row["completion"] is None or row["prompt"] is None:
        yield LeftOut("no completion")
        return
    yield {
        "group": row["example_id"],
        "prompt": with_calls(row["prompt"]),
        "completion": with_calls(row["completion"]),
        "reference": row.get("answer"),
        "reward": row["reward"],
    } | the_rest(row, "example_id", "prompt", "completion", "answer", "reward")


def with_calls(messages: Any) -> Any:
    """Messages whose tool calls are objects again."""
    if not isinstance(messages, list):
        return messages
    return [_message(message) for message in messages]


def _message(message: Any) -> Any:
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    return message | {"tool_calls": [_call(call) for call in calls]} if isinstance(calls, list) else message


def _call(call: Any) -> Any:
    """A call as chat templates take it: `{"type": "function", "function": {"name", "arguments"}}`."""
    try:
        call = json.loads(call) if isinstance(call, str) else call
    except (ValueError, RecursionError):
        return call
    if isinstance(call, dict) and "function" not in call and "name" in call:
        function = {name: call[name] for name in ("name", "arguments") if name in call}
        return {"id": call.get("id"), "type": "function", "function": function}
    return call


_FIELDS = ("group", "prompt", "completion", "reference", "reward")
VERIFIERS = Foreign("verifiers", _is_mine, _FIELDS, _rows)
