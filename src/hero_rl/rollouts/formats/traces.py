"""`traces.jsonl` of verifiers' v1 evaluations and prime-rl's runs: an episode a line, a rollout for each trace.

As `Episode.to_record` of `verifiers/v1/episode.py` writes it (commit a60a606e, August 2026), which prime-rl's
`monitors/file.py` (559b4477) appends to `rollouts/step_N/train/.../traces.jsonl`. A trace is a graph of messages:
what the policy wrote is marked `sampled`, and the last branch is the one that stands. Messages before the first
sampled one are the prompt. What is null was not written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row
from hero_rl.rollouts.formats.verifiers import with_calls

__all__ = ["TRACES"]


def _is_mine(row: Row) -> bool:
    return {"id", "env", "task", "traces"} <= row.keys() and isinstance(row["traces"], list)


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    if not row["traces"]:
        yield LeftOut("no completion")
    for trace in row["traces"]:
        agent = trace.get("agent") or {}
        if agent.get("trainable") is False:
            yield LeftOut("another agent than the policy")
            continue
        nodes = _last_branch(trace.get("nodes") or [], place)
        said = next((at for at, node in enumerate(nodes) if node.get("sampled")), None)
        if said is None:
            yield LeftOut("no completion")
            continue
        messages = with_calls([node["message"] for node in nodes])
        yield _rollout(row, trace, messages[:said], messages[said:])


def _rollout(row: Row, trace: Mapping[str, Any], prompt: Any, completion: Any) -> Row:
    work = (row.get("run") or {}).get("work") or {}
    task = trace.get("task") or row["task"]
    rewards = {name: given for name, given in (trace.get("rewards") or {}).items() if given}
    return {
        "id": trace.get("id"),
        "group": (row.get("group") or {}).get("id") or task.get("key") or task.get("hash"),
        "prompt": prompt,
        "completion": completion,
        "reference": (task.get("data") or {}).get("answer"),
        "reward": sum(given["score"] * given.get("weight", 1.0) for given in rewards.values()) if rewards else None,
        "step": work.get("step"),
        "episode": row["id"],
        "ok": trace.get("ok"),
        "rewards": rewards,
        "metrics": trace.get("metrics"),
        "stop_condition": trace.get("stop_condition"),
    }


def _last_branch(nodes: list[Any], place: Place) -> list[Any]:
    """From the root to the last message that none follows."""
    parents = [node.get("parent") for node in nodes]
    if any(parent is not None and not 0 <= parent < at for at, parent in enumerate(parents)):
        raise DataError(f"{place}: a message of 'nodes' follows one that comes after it, or that is not there")
    at: int | None = max((n for n in range(len(nodes)) if n not in parents), default=None)
    branch = []
    while at is not None:
        branch.append(nodes[at])
        at = parents[at]
    return branch[::-1]


_FIELDS = ("id", "group", "prompt", "completion", "reference", "reward", "step")
TRACES = Foreign("traces", _is_mine, _FIELDS, _rows)
