"""From a row of verl's to what a verifier is asked: the same for the reward manager and for the auditor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import transfer_queue as tq
from torch import Tensor

from hero_rl.errors import DataError
from hero_rl.files.rows import as_reference, json_columns
from hero_rl.trainers.dataset import WHOLE_ROW
from hero_rl.verifiers.math.text.thinking import leaves_in_thought

__all__ = ["Item", "item_of", "items_in_queue"]

_END_OF_PROMPT = 64  # tokens

# What the agent loop adds to a row of the data in the queue, beside tensors.
_OF_THE_LOOP = ("extra_fields", "metrics", "num_turns", "multi_modal_inputs", "global_steps")


class Item(NamedTuple):
    """One rollout as the scorer takes it: chat messages, the text that was written, the reference, ..."""

    prompt: list[dict[str, Any]]
    completion: str
    reference: Any
    in_thought: bool = False
    columns: Mapping[str, Any] = {}
    domain: str = ""


def item_of(
    row: Mapping[str, Any], prompt: Any, response: Any, tokenizer: Any, whole: bool, needed: bool = True
) -> Item:
    """What is asked about one rollout.

    Args:
        row: the data's columns.
        prompt: token ids as the policy read them; None where they are not known.
        response: token ids without padding.
        tokenizer: the policy's.
        whole: whether the verifier takes requests, and so reads references of any kind and the other columns.
        needed: whether the row must have a reference.

    Raises:
        DataError: the row has no reference.
    """
    reference, columns = _given(row, whole, needed)
    asked = [dict(message) for message in row["raw_prompt"]]
    completion = tokenizer.decode(response, skip_special_tokens=True)
    began = _began_in_thought(prompt, tokenizer)
    return Item(asked, completion, reference, began, columns, str(row.get("data_source", "")))


def items_in_queue(keys: Sequence[str], partition: str, tokenizer: Any, whole: bool) -> list[Item]:
    """The rollouts whose rows lie in the queue under some keys."""
    if not keys:
        return []
    data = tq.kv_batch_get(keys=list(keys), partition_id=partition)
    columns = {name: data[name].unbind() if isinstance(data[name], Tensor) else data[name] for name in data.keys()}  # noqa: SIM118
    items = []
    for number in range(len(keys)):
        values = {name: getattr(column[number], "data", column[number]) for name, column in columns.items()}
        row = {name: one for name, one in values.items() if not isinstance(one, Tensor) and name not in _OF_THE_LOOP}
        # What lacks a reference that is needed was refused before it was scored.
        items.append(item_of(row, values.get("prompts"), values["responses"], tokenizer, whole, needed=False))
    return items


def _given(row: Mapping[str, Any], whole: bool, needed: bool) -> tuple[Any, dict[str, Any]]:
    """The reference, and what a verifier that takes requests reads of the row's other columns."""
    given = row.get("reward_model", {}).get("ground_truth")
    plain = given.tolist() if hasattr(given, "tolist") else given  # verl's tables hold numpy's values
    reference = plain if whole else as_reference(plain, "reward_model.ground_truth", "a row")
    columns = json_columns(row, ("raw_prompt", "reward_model")) if whole else {}
    if WHOLE_ROW in columns:
        kept = json.loads(columns.pop(WHOLE_ROW))
        reference, columns = kept["reference"], columns | kept["columns"]
    if reference is None and needed:
        raise DataError(
            f"reward_model.ground_truth must hold an answer in every row, not {given!r}; leave such rows out, or have "
            "the rule rank them: +hero.rule.without_reference=rank"
        )
    return reference, columns


def _began_in_thought(prompt: Any, tokenizer: Any) -> bool:
    """Whether the prompt as the policy read it ends with a thought's opening, of which the text shows the end."""
    if prompt is None or "</think>" in tokenizer.all_special_tokens:
        return False
    return leaves_in_thought(tokenizer.decode(prompt[-_END_OF_PROMPT:]))
