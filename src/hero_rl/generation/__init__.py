"""Text from a model: an endpoint that speaks OpenAI's protocol, or transformers in this process."""

from typing import Annotated

from pydantic import Field

from hero_rl.generation.base import Generated, GenerationRequest, Generator, Sampling, seed_of
from hero_rl.generation.endpoint import OpenAIGenerator, OpenAIGeneratorConfig
from hero_rl.generation.in_process import TransformersGenerator, TransformersGeneratorConfig

__all__ = [
    "Generated",
    "GenerationRequest",
    "Generator",
    "GeneratorConfig",
    "OpenAIGenerator",
    "OpenAIGeneratorConfig",
    "Sampling",
    "TransformersGenerator",
    "TransformersGeneratorConfig",
    "seed_of",
]

GeneratorConfig = Annotated[OpenAIGeneratorConfig | TransformersGeneratorConfig, Field(discriminator="type")]
"""Any generator as a block of a configuration file, told apart by its `type`."""
