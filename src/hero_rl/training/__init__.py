"""From a configuration file to a trained policy and a complete record of the run."""

from hero_rl.training.config import DataConfig, ModelConfig, TrainConfig, load_config

__all__ = ["DataConfig", "ModelConfig", "TrainConfig", "load_config"]
