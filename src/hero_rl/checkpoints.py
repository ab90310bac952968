"""Checkpoints of transformers' models: where one comes from, how it runs, and what keeps it from being loaded."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import Field

from hero_rl.errors import ConfigError
from hero_rl.foreign import loading, refuse_no_model
from hero_rl.settings import Block

__all__ = ["Checkpoint"]


class Checkpoint(Block):
    """Where a model comes from and how it runs.

    Attributes:
        path: folder, or name on the Hugging Face hub.
        revision: branch, tag or commit on the hub.
        trust_remote_code: run Python code that comes with the checkpoint. Off unless you say so.
        dtype: of the weights; "auto" is what the checkpoint was saved in, which is bfloat16 for most.
        device: "auto" is this process's GPU if there is one, else the CPU.
        attention: "auto" is transformers' choice; else the name of an implementation, such as "sdpa".
    """

    path: str
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    attention: Annotated[str, Field(min_length=1)] = "auto"

    def _load(self, auto_class: Any, kind: str, block: str) -> tuple[Any, Any]:
        """Model, on its device, and tokenizer.

        Args:
            auto_class: of transformers.
            kind: what the checkpoint is to be, for messages.
            block: of the configuration that this is, for messages, with its dot.

        Raises:
            ConfigError: there is no such model, it lacks weights or a tokenizer, or cannot run as it is told to.
        """
        refuse_no_model(f"{block}path", self.path, self.revision)  # before what takes seconds to import
        from transformers import AutoTokenizer

        device = _device(self.device, block)
        source = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        with loading(f"{block}path: no model can be loaded from {self.path}: its tokenizer"):
            tokenizer = AutoTokenizer.from_pretrained(self.path, **source)
        if not tokenizer("yes, 1", add_special_tokens=False)["input_ids"]:
            raise ConfigError(f"{block}path: {self.path} has no tokenizer; save it into the model's folder")
        attention = {} if self.attention == "auto" else {"attn_implementation": self.attention}
        with loading(f"{block}path: no model can be loaded from {self.path}"):
            try:
                model, found = auto_class.from_pretrained(
                    self.path, dtype=self.dtype, output_loading_info=True, **source, **attention
                )
            except (ImportError, ValueError) as error:
                if not attention:
                    raise ConfigError(f"{block}path: no {kind} can be loaded from {self.path}: {error}") from error
                raise ConfigError(
                    f"{block}attention: {self.path} does not load with {self.attention}: {error}"
                ) from error
        if "flash" in self.attention and str(model.dtype) == "torch.float32":
            raise ConfigError(
                f"{block}attention: {self.attention} needs dtype bfloat16 or float16; the weights are float32"
            )
        if found["missing_keys"]:
            # Transformers fills what a checkpoint lacks with random numbers, and what it says would be as random.
            missing = ", ".join(sorted(found["missing_keys"]))
            raise ConfigError(f"{block}path: {self.path} is no trained {kind}: the checkpoint lacks {missing}")
        return model.to(device), tokenizer


def _device(name: str, block: str) -> Any:
    """The device with its index: in another thread a bare "cuda" is GPU 0, whatever the main thread's is.

    Raises:
        ConfigError: there is no such device here.
    """
    import torch

    if name not in ("auto", "cuda") or not torch.cuda.is_available():
        try:
            return torch.empty(0, device="cpu" if name == "auto" else name).device
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"{block}device: {name!r} is not to be had here: {error}") from None
    local_rank = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return torch.device("cuda", local_rank % torch.cuda.device_count())
