"""The configuration of one training run: a pydantic model, read from YAML, with overrides by dotted name."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, overload

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hero_rl.errors import ConfigError
from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AnyRule, Hero
from hero_rl.verifiers import AnyVerifier, Processes

__all__ = [
    "DataConfig",
    "ModelConfig",
    "TrainConfig",
    "did_you_mean",
    "lay_over",
    "load_config",
    "parse_overrides",
    "resolve",
]

_RESERVED = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "reference_column": "data.reference_column",
    "max_unscorable": "max_unscorable",
    "model_init_kwargs": "model",
    "trust_remote_code": "model.trust_remote_code",
    "resume_from_checkpoint": "--resume",
    "rollouts_dir": "output_dir (every rollout is kept in its folder `rollouts`)",
}

# A block that names no type is of the usual one.
_USUAL_TYPES = {"rule": "hero", "reward_model": "local"}


AnyConfig = TypeVar("AnyConfig", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML's safe types, and `1e-6` a number as in YAML 1.2; PyYAML takes it for text without a point."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Block):
    """The policy: any causal language model that transformers loads.

    Attributes:
        path: a folder or a Hub id.
        revision: branch, tag or commit of a Hub id.
        trust_remote_code: run the code that comes with the model. Off unless you say so.
        dtype: of the weights that are trained; `auto` is what the checkpoint says. In bfloat16 without a float32 copy
            the update of a small learning rate rounds away, so float32 is the default, as it is TRL's.
        attn_implementation: as in transformers, for example `flash_attention_2`.
    """

    path: str
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    attn_implementation: str | None = None


class DataConfig(_Block):
    """Prompts and references.

    Attributes:
        train: a .jsonl, .json (lines) or .parquet file, or a Hub id.
        eval: the same for evaluation, or none.
        name: configuration name of a Hub dataset.
        train_split: split of a Hub dataset to train on.
        eval_split: split of a Hub dataset to evaluate on.
        prompt_column: text, or a list of chat messages.
        reference_column: the reference answer: text or a number.
        chat: turn a text prompt into a user message, so that the model's chat template applies.
        system_prompt: put before every prompt; needs `chat`.
        limit: use the first so many rows of each split.
    """

    train: str
    eval: str | None = None
    name: str | None = None
    train_split: str = "train"
    eval_split: str = "test"
    prompt_column: str = "prompt"
    reference_column: str = "answer"
    chat: bool = True
    system_prompt: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None


class TrainConfig(_Block):
    """One training run.

    Attributes:
        output_dir: the run's folder: configuration, versions, metrics, completions, checkpoints, the model.
        model: the policy.
        data: prompts and references.
        verifier: judges completions.
        verifier_processes: the processes that a rule verifier runs in.
        reward_model: scores them; needed by every rule but `verifier_only`.
        rule: combines both signals.
        algorithm: TRL's `GRPOTrainer` or its `RLOOTrainer`.
        engine: the trainer's library.
        seed: of weights, data order and sampling.
        max_unscorable: stop when more than this share of the last 256 rollouts could not be scored.
        peft: arguments of `peft.LoraConfig`; none trains all weights.
        trl: arguments of TRL's `GRPOConfig` or `RLOOConfig`, by their own names.
    """

    output_dir: str
    model: ModelConfig
    data: DataConfig
    verifier: AnyVerifier
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    rule: AnyRule = Hero()
    algorithm: Literal["grpo", "rloo"] = "grpo"
    engine: Literal["trl"] = "trl"
    seed: int = 0
    max_unscorable: Annotated[float, Field(ge=0, le=1)] = 0.5
    peft: dict[str, Any] | None = None
    trl: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if self.rule.needs_score and self.reward_model is None:
            raise ValueError(f"rule {self.rule.type!r} needs a reward_model")
        if self.data.system_prompt and not self.data.chat:
            raise ValueError("data.system_prompt needs data.chat")
        for name, place in _RESERVED.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is set by {place}")
        if self.data.eval and self.trl.get("eval_strategy", "no") == "no":
            raise ValueError("data.eval is never used unless trl.eval_strategy says when, for example steps or epoch")
        if self.trl.get("num_generations") == 1:
            raise ValueError("trl.num_generations is 1: a group of one rollout has no advantage; at least 2 are needed")
        return self


@overload
def load_config(path: str | Path, overrides: dict[str, Any] | None = None) -> TrainConfig: ...
@overload
def load_config(path: str | Path, overrides: dict[str, Any] | None, kind: type[AnyConfig]) -> AnyConfig: ...
def load_config(
    path: str | Path, overrides: dict[str, Any] | None = None, kind: type[BaseModel] = TrainConfig
) -> BaseModel:
    """Read a YAML file, lay overrides over it and check every key.

    Args:
        path: the file.
        overrides: values by dotted name, as from `parse_overrides`.
        kind: the model that checks it.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, missing or wrong; names file and setting.
    """
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a mapping of settings is expected, not {type(raw).__name__}")
    return resolve(raw, overrides or {}, str(path), kind)


@overload
def resolve(raw: dict[str, Any], overrides: dict[str, Any], place: str) -> TrainConfig: ...
@overload
def resolve(raw: dict[str, Any], overrides: dict[str, Any], place: str, kind: type[AnyConfig]) -> AnyConfig: ...
def resolve(
    raw: dict[str, Any], overrides: dict[str, Any], place: str, kind: type[BaseModel] = TrainConfig
) -> BaseModel:
    """Lay overrides over plain settings and check them; `place` opens every error message."""
    merged = _overridden(raw, overrides, kind)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{place}: {line}" for line in _explain(error, merged, kind))) from None


def parse_overrides(arguments: list[str]) -> dict[str, Any]:
    """Read `--a.b value` and `--a.b=value` pairs; values are YAML, so `0.1`, `true` and `[1, 2]` mean what they say.

    Raises:
        ConfigError: an argument is not of that form.
    """
    overrides: dict[str, Any] = {}
    queue = list(arguments)
    while queue:
        name, equals, value = queue.pop(0).partition("=")
        if not name.startswith("--") or len(name) < 3:
            raise ConfigError(f"unexpected argument {name!r}; overrides look like --rule.alpha 0.05")
        if not equals:
            if not queue:
                raise ConfigError(f"{name} has no value")
            value = queue.pop(0)
        try:
            overrides[name[2:].replace("-", "_")] = yaml.load(value, _Loader)
        except yaml.YAMLError:
            raise ConfigError(f"{name}: {value!r} is not a value") from None
    return overrides


def _overridden(raw: dict[str, Any], overrides: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in raw.items()}
    named = {name.partition(".")[0] for name in overrides if "." in name}
    for block in _USUAL_TYPES.keys() & kind.model_fields.keys():
        if isinstance(merged.get(block), dict) or (block in named and merged.get(block) is None):
            merged[block] = {"type": _USUAL_TYPES[block]} | (merged.get(block) or {})
    return lay_over(merged, overrides)


def lay_over(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put values by dotted name into nested settings, in place; missing blocks are made.

    Raises:
        ConfigError: a name leads through a value that is no block.
    """
    # Types first, the outer ones before the inner: with another type a block's earlier settings mean nothing.
    depth = {name: name.count(".") for name in overrides if name.rpartition(".")[2] == "type"}
    for name, value in sorted(overrides.items(), key=lambda item: depth.get(item[0], math.inf)):
        *blocks, last = name.split(".")
        target = settings
        for block in blocks:
            if target.get(block) is None:
                target[block] = {}
            target = target[block]
            if not isinstance(target, dict):
                raise ConfigError(f"--{name}: {block!r} is a value, not a block of settings")
        if last == "type" and target.get("type") != value:
            target.clear()
        target[last] = value
    return settings


def _explain(error: ValidationError, merged: dict[str, Any], kind: type[BaseModel]) -> list[str]:
    """One line a mistake: where, what, and the nearest known name for an unknown one."""
    lines = []
    for mistake in error.errors():
        where = _path_in(merged, mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            lines.append(f"{'.'.join(where)}: unknown setting{_suggestion(where, merged, kind)}")
        elif mistake["type"] == "missing":
            lines.append(f"{'.'.join(where)}: missing")
        else:
            message = mistake["msg"].removeprefix("Value error, ")
            lines.append(f"{'.'.join(where)}: {message}" if where else message)
    return lines


def _path_in(merged: dict[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """Drop the names that pydantic adds for the member of a union, which no file contains."""
    path: list[str] = []
    node: Any = merged
    for key in loc:
        if isinstance(node, dict) and key not in node and node.get("type") == key:
            continue
        path.append(str(key))
        node = node.get(key) if isinstance(node, dict) else None
    return path


def _suggestion(where: list[str], merged: dict[str, Any], kind: type[BaseModel]) -> str:
    known = _known_names(where[:-1], merged, kind)
    listed = f"; known here: {', '.join(sorted(known))}" if known else ""
    return did_you_mean(where[-1], known) or listed


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_names(blocks: list[str], node: Any, kind: type[BaseModel]) -> set[str]:
    """Names that a block of the configuration knows, given the type that it names."""
    models: list[Any] = [kind]
    for block in blocks:
        fields = [m.model_fields[block].annotation for m in models if block in m.model_fields]
        node = node.get(block) if isinstance(node, dict) else None
        named = node.get("type") if isinstance(node, dict) else None
        models = [m for annotation in fields for m in _models_in(annotation)]
        models = [m for m in models if "type" not in m.model_fields or m.model_fields["type"].default == named]
    return {name for model in models for name in model.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]
