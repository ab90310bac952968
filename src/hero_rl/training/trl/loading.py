"""What every training loads and checks alike: the tokenizer, and the arguments of the engine's own configuration."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, get_args, get_type_hints

from transformers import AutoConfig, AutoTokenizer

from hero_rl.errors import ConfigError
from hero_rl.foreign import DAMAGED, loading, refuse_no_model, rendered
from hero_rl.settings import did_you_mean
from hero_rl.training.configs.policy import ModelConfig

__all__ = [
    "check_template",
    "checked_arguments",
    "load_tokenizer",
    "lora_config",
    "model_arguments",
    "named",
    "register_models",
]


@contextmanager
def named(setting: str) -> Iterator[None]:
    """Turn a model that cannot be loaded into a `ConfigError` that names the setting."""
    try:
        with loading(setting, DAMAGED):
            yield
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise ConfigError(f"{setting}: the weights have other shapes than config.json says") from error


def register_models() -> None:
    """Let installed packages register their model classes with transformers: the entry points `hero_rl.models`."""
    for entry in entry_points(group="hero_rl.models"):
        entry.load()


def load_tokenizer(model: ModelConfig, **arguments: Any) -> Any:
    """The model's tokenizer with the configuration's chat template.

    Raises:
        ConfigError: it cannot be loaded.
    """
    source = {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
    refuse_no_model("model.path", model.path, model.revision)
    with loading("model.path"):
        AutoConfig.from_pretrained(model.path, **source)  # refuses a model that wants code of its own to be run
    with loading("model.path: no tokenizer can be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(model.path, **source, **arguments)
    if model.chat_template is not None:
        tokenizer.chat_template = model.chat_template
    return tokenizer


def check_template(tokenizer: Any, model: str, messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a model without a chat template, or with one that fails on a conversation of the data.

    Raises:
        ConfigError: there is none, or it fails, or makes too much of the conversation.
    """
    if tokenizer.chat_template is None:
        raise ConfigError(
            f"{model} has no chat template; give one as model.chat_template, or set data.chat to false for plain text"
        )
    with loading("model.chat_template: it fails on the first conversation"):
        rendered(tokenizer, messages, add_generation_prompt=True)


def model_arguments(model: ModelConfig) -> dict[str, Any]:
    """TRL's `model_init_kwargs`: revision, dtype and attention."""
    attention = {"attn_implementation": model.attn_implementation} if model.attn_implementation else {}
    return {"revision": model.revision, "dtype": model.dtype, **attention}


def checked_arguments(kind: Any, given: Mapping[str, Any], **fixed: Any) -> Any:
    """The engine's own configuration, checked by it.

    Args:
        kind: TRL's dataclass.
        given: the block `trl`.
        fixed: arguments that other settings stand for.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    known = kind.__dataclass_fields__
    for name in given:
        if name not in known:
            raise ConfigError(f"trl.{name}: {kind.__name__} has no such argument{did_you_mean(name, known)}")
    _refuse_wrong_kinds(kind, given)
    usual: dict[str, Any] = {"logging_steps": 1, "report_to": "none", "disable_tqdm": True}
    try:
        return kind(**fixed, **(usual | copy.deepcopy(dict(given))))  # transformers rewrites the blocks it is given
    except (TypeError, ValueError) as error:
        raise ConfigError(f"trl: {error}") from error


def _refuse_wrong_kinds(kind: Any, given: Mapping[str, Any]) -> None:
    """Refuse what is no number or no switch where one is wanted: dataclasses take anything, and fail later for it."""
    hints = get_type_hints(kind)
    for name, value in given.items():
        wanted = set(get_args(hints[name]) or (hints[name],))
        if float in wanted:
            wanted.add(int)
        if wanted <= {int, float, bool, type(None)} and type(value) not in wanted:
            said = " or ".join(sorted("null" if one is type(None) else one.__name__ for one in wanted))
            raise ConfigError(f"trl.{name}: {value!r} is not {said}")


def lora_config(settings: dict[str, Any] | None) -> Any:
    """Peft's configuration of a LoRA, or None.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    if settings is None:
        return None
    from peft import LoraConfig

    arguments: dict[str, Any] = {"task_type": "CAUSAL_LM"} | settings
    try:
        return LoraConfig(**arguments)
    except TypeError as error:
        raise ConfigError(f"peft: {error}") from None
