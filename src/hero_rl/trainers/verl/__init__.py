"""HERO inside verl, without a fork: `trainer.v1.trainer_mode=hero_sync`.

verl imports `plugin` through the entry point `verl.plugins`, which registers

- the trainers `hero_sync`, `hero_colocate_async` and `hero_separate_async` (`trainer`): verl's own, which read verdict
  and score of every rollout, hand them to the estimator, and keep the rule's state;
- the advantage estimator `hero` (`estimator`): a rule's advantages, spread over tokens.

Verdicts and scores come from `reward_manager`, which verl's reward workers load. docs/guides/verl.md has the settings.
"""

__all__: list[str] = []
