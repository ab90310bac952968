"""`{run}_rollouts_{shard}.jsonl` of open-instruct, with `save_traces`.

As `_save_rollouts` of `open_instruct/rl_utils.py` writes them, commit e6c3044a (August 2026): prompt and response are
token ids, so that the policy's tokenizer has to be named. `ground_truth` has an entry for each of the prompt's
verifiers.
"""

from __future__ import annotations

from collections.abc import Iterator

from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, the_rest

__all__ = ["OPEN_INSTRUCT"]


def _is_mine(row: Row) -> bool:
    return {"prompt_tokens", "response_tokens", "reward", "prompt_idx"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    yield {
        "prompt": decode(row["prompt_tokens"]),
        "completion": decode(row["response_tokens"]),
        "reference": row.get("ground_truth"),
        "group": row["prompt_idx"],
        "reward": row["reward"],
        "advantage": row.get("advantage"),
        "step": row.get("step"),
    } | the_rest(
        row, "prompt_tokens", "response_tokens", "ground_truth", "prompt_idx", "reward", "advantage", "step", "logprobs"
    )


_FIELDS = ("prompt", "completion", "reference", "group", "reward", "advantage", "step")
OPEN_INSTRUCT = Foreign("open_instruct", _is_mine, _FIELDS, _rows)
