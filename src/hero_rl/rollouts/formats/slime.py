"""`--save-debug-rollout-data` of slime: a torch file a rollout, `{"rollout_id", "samples"}`.

As `save_debug_rollout_data` of `slime/observability/rollout_data_utils.py` writes `Sample.to_dict` of
`slime/utils/types.py`, commit 624b824a (August 2026). The file is loaded without code of its own (torch's
`weights_only`). A sample that was aborted has no whole response.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

from hero_rl.errors import DataError
from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, the_rest

__all__ = ["SLIME", "samples_of"]

_HEAVY = (
    "tokens",
    "loss_mask",
    "rollout_log_probs",
    "teacher_log_probs",
    "multimodal_inputs",
    "multimodal_train_inputs",
)
_HEAVY += ("rollout_top_p_token_ids", "rollout_top_p_token_offsets", "rollout_routed_experts")


def samples_of(path: Path) -> Iterator[tuple[Place, Row]]:
    """The samples of a torch file, each with the rollout's id; all of a file are in memory.

    Raises:
        DataError: the file cannot be read, would run code, or is of another kind.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise DataError(f"{path}: no torch file of plain values: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or not isinstance(content.get("samples"), list):
        raise DataError(f"{path}: a torch file is read as slime's debug rollout data, which has 'samples'")
    for number, sample in enumerate(content["samples"], start=1):
        yield Place(path, number, is_line=False), {"slime_rollout": content.get("rollout_id"), **sample}


def _is_mine(row: Row) -> bool:
    return {"prompt", "response", "label", "group_index"} <= row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    if row.get("status") in ("aborted", "pending"):
        yield LeftOut("no completion")
        return
    reward = row.get("reward")
    parts = reward if isinstance(reward, dict) else {}
    yield {
        "id": row.get("index"),
        "group": row["group_index"],
        "prompt": row["prompt"],
        "completion": row["response"],
        "reference": row["label"],
        "reward": None if parts else reward,
        "step": row.get("slime_rollout"),
        "rewards": parts or None,
    } | the_rest(row, "id", "index", "group_index", "prompt", "response", "label", "reward", "slime_rollout", *_HEAVY)


_FIELDS = ("id", "group", "prompt", "completion", "reference", "reward", "step")
SLIME = Foreign("slime", _is_mine, _FIELDS, _rows)
