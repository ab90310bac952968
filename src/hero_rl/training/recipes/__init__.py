"""Runs as configurations: `one-gpu/qwen3-0.6b/gsm8k/gated-hero`, and the paper's, `verl/qwen3-4b/hard/hero`.

recipe = compose("verl/qwen3-4b/hard/hero")
recipe.settings["rule"]["alpha"]

A recipe is made of the YAML files beside this one. For one GPU they are `one_gpu/base.yaml`, one of its `models`, one
of its `data`, and a rule; the paper's are `rl.yaml` or `sft.yaml`, and one of `models`, `regimes` and `rules` for each
part of the name. A file holds settings of `hero train` or `hero sft`, and five keys of its own:

- `needs`: settings that the user must give, and what they are;
- `only`: settings that hold where a part of the name, `rl` or `sft` is of that name;
- `include`: another file of the folder;
- `processes`: GPUs that a run with TRL takes;
- `card`: GiB of the GPU that a recipe for one is made for.
"""

from __future__ import annotations

from hero_rl.training.recipes.compose import Recipe, compose, is_recipe, like, names, with_dashes

__all__ = ["Recipe", "compose", "is_recipe", "like", "names", "with_dashes"]
