"""`train_data_step{N}.jsonl` and `val_data_step{N}.jsonl` of NeMo-RL.

As `log_batched_dict_as_jsonl` of `nemo_rl/utils/logger.py` writes what `nemo_rl/algorithms/grpo.py` hands it, commit
7ea279ab (August 2026): every column is a batch of one, a list with one entry. In training a message is its text alone,
through the chat template, and the last one is the answer; there is no reference, and the group is the prompt. What
is per token (ids, masks, log-probabilities) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, short
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, only, the_rest

__all__ = ["NEMO_RL"]

_PER_TOKEN = ("token_ids", "token_loss_mask", "advantages", "generation_logprobs", "prev_logprobs")
_STEP = re.compile(r"data_step(\d+)\.")


def _is_mine(row: Row) -> bool:
    return {"content", "rewards", "idx"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    messages = only(row["content"], "content", place)
    if not isinstance(messages, list) or len(messages) < 2:
        raise DataError(f"{place}: 'content' must hold a prompt and its answer, not {short(messages)}")
    step = _STEP.search(place.file.name)
    yield {
        "prompt": _prompt(messages[:-1]),
        "completion": messages[-1] if isinstance(messages[-1], str) else [_said(messages[-1])],
        "reward": only(row["rewards"], "rewards", place),
        "advantage": _advantage(row),
        "step": int(step[1]) if step else None,
        "sample": row["idx"],
    } | the_rest(row, "content", "rewards", "idx", *_PER_TOKEN)


def _prompt(messages: list[Any]) -> Any:
    if all(isinstance(message, str) for message in messages):
        return "".join(messages)
    return [_said(message) for message in messages]


def _said(message: Any) -> Any:
    """A message without the tokens that go with it."""
    return (
        {name: message[name] for name in ("role", "content") if name in message}
        if isinstance(message, dict)
        else message
    )


def _advantage(row: Row) -> float | None:
    """The advantage of the tokens that are trained on, where it is one."""
    try:
        pairs = zip(row["advantages"][0], row["token_loss_mask"][0], strict=True)
        found = {value for value, trained in pairs if trained}
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return found.pop() if len(found) == 1 else None


_FIELDS = ("prompt", "completion", "reward", "advantage", "step")
NEMO_RL = Foreign("nemo_rl", _is_mine, _FIELDS, _rows)
