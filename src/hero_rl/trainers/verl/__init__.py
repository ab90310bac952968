"""HERO inside verl, without a fork: `trainer.v1.trainer_mode=hero_sync`.

verl imports `plugin` through the entry point `verl.plugins`, which registers

- the trainer `hero_sync` (`trainer`): verl's synchronous trainer, which reads verdict and score of every rollout,
  hands them to the estimator, and keeps the rule's state;
- the advantage estimator `hero` (`estimator`): a rule's advantages, spread over tokens.

Verdicts and scores come from `reward_manager`, which verl's reward workers load. docs/guides/verl.md has the settings.
"""

__all__: list[str] = []
