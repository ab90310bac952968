"""The paper's runs as configurations: `verl/qwen3-4b/hard/hero`, `trl/octothinker-8b/sft`.

recipe = compose("verl/qwen3-4b/hard/hero")
recipe.settings["rule"]["alpha"]

A recipe is made of the YAML files beside this one: `rl.yaml` or `sft.yaml`, and one of `models`, `regimes` and `rules`
for each part of its name. A file holds settings of `hero train` or `hero sft`, and four keys of its own:

- `needs`: settings that the user must give, and what they are;
- `only`: settings that hold where a part of the name, `rl` or `sft` is of that name;
- `include`: another file of the folder;
- `processes`: GPUs that a run with TRL takes.
"""

from __future__ import annotations

from hero_rl.training.recipes.compose import Recipe, compose, is_recipe, names

__all__ = ["Recipe", "compose", "is_recipe", "names"]
