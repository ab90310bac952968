"""From a configuration file to a trained policy or reward model and a complete record of the run."""

from hero_rl.training.configs.policy import DataConfig, ModelConfig, TrainConfig, load_config
from hero_rl.training.configs.reward import RewardDataConfig, RewardTrainConfig, StartConfig
from hero_rl.training.configs.sft import DemonstrationConfig, SftConfig, VerlSftConfig
from hero_rl.training.configs.verl import VerlTrainConfig

__all__ = [
    "DataConfig",
    "DemonstrationConfig",
    "ModelConfig",
    "RewardDataConfig",
    "RewardTrainConfig",
    "SftConfig",
    "StartConfig",
    "TrainConfig",
    "VerlSftConfig",
    "VerlTrainConfig",
    "load_config",
]
