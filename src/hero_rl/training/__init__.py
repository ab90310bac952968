"""From a configuration file to a trained policy or reward model and a complete record of the run."""

from hero_rl.training.config import DataConfig, ModelConfig, TrainConfig, load_config
from hero_rl.training.reward_config import RewardDataConfig, RewardTrainConfig, StartConfig

__all__ = [
    "DataConfig",
    "ModelConfig",
    "RewardDataConfig",
    "RewardTrainConfig",
    "StartConfig",
    "TrainConfig",
    "load_config",
]
