"""Text from a model: an endpoint that speaks OpenAI's protocol, or transformers in this process."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

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


def _tell_type(given: Any) -> Any:
    if not isinstance(given, Mapping) or "type" in given:
        return given
    return {"type": "openai" if "url" in given else "transformers", **given}


GeneratorConfig = Annotated[
    OpenAIGeneratorConfig | TransformersGeneratorConfig, Field(discriminator="type"), BeforeValidator(_tell_type)
]
"""Any generator as a block of a configuration file, told apart by its `type`, or else by whether it has a `url`."""
