"""From a configuration file to a trained policy or reward model and a complete record of the run."""

from hero_rl.training.config import DataConfig, ModelConfig, TrainConfig, load_config
from hero_rl.training.reward_config import RewardDataConfig, RewardTrainConfig, StartConfig
from hero_rl.training.sft_config import DemonstrationConfig, SftConfig, VerlSftConfig
from hero_rl.training.verl_config import VerlTrainConfig

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
