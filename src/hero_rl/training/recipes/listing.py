"""The recipes as a list for people: the one-GPU ones and the paper's, with what the parts of a name mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hero_rl.training.recipes.compose import summary

__all__ = ["listing"]

_ONE_GPU = "one-gpu/"
_HEADS = {
    True: "For one GPU, with TRL: a small model, data from the Hub; `hero recipe show NAME` estimates memory and time.",
    False: "The paper's runs, with TRL or verl, on your data; `sft` is the cold start before them.",
}
_PARTS = {
    True: {"model": "one_gpu/models", "data": "one_gpu/data", "rule": "one_gpu/rules"},
    False: {"model": "models", "regime": "regimes", "rule": "rules"},
}


def listing(names: Sequence[str]) -> str:
    """Recipes by group, one name a line; lines of comments say what a group is, and what the parts of its names are.

    Args:
        names: of the recipes, in their order.
    """
    blocks = []
    for one_gpu in (True, False):
        group = [name for name in names if name.startswith(_ONE_GPU) == one_gpu]
        if group:
            parts = _PARTS[one_gpu]
            form = "/".join(("one-gpu" if one_gpu else "engine", *parts))
            blocks.append([f"# {_HEADS[one_gpu]}", f"# {form}", *_told(group, parts), *group])
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _told(group: Sequence[str], parts: Mapping[str, str]) -> Iterator[str]:
    """What each choice of each part in a group is."""
    for place, (part, folder) in enumerate(parts.items(), start=1):
        found = dict.fromkeys(name.split("/")[place] for name in group if name.count("/") == len(parts))
        for number, choice in enumerate(found):
            first_sentence = summary(f"{folder}/{choice}").partition(". ")[0].rstrip(".")
            yield f"#   {part if number == 0 else '':<7} {choice:<18} {first_sentence}"
