"""Settings as pydantic models: read from YAML, with overrides by dotted name and errors that name the setting."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hero_rl.errors import ConfigError
from hero_rl.own import own_code

__all__ = [
    "Block",
    "did_you_mean",
    "is_name",
    "lay_over",
    "nested",
    "none_of",
    "parse_overrides",
    "read_yaml",
    "resolve",
]

# A block that names no type is of the usual one: that of its default, or where that is none, of this.
_USUAL_TYPES = {"reward_model": "local"}

_NAME = re.compile(r"--[A-Za-z+~]")

AnyConfig = TypeVar("AnyConfig", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML's safe types, no key twice, and `1e-6` a number as in YAML 1.2; PyYAML takes it for text without a point."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        said: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in said:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
                said.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


class Block(BaseModel):
    """A block of settings: frozen, unknown keys refused.

    Of a block within it that is given in part, what its default says of the rest holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        said = {name: _said_by_default(field.default) for name, field in cls.model_fields.items()}
        return {
            name: said[name] | dict(value) if said.get(name) and isinstance(value, Mapping) else value
            for name, value in given.items()
        }


def _said_by_default(default: Any) -> dict[str, Any]:
    """What a default differs in from the usual values of its kind; with another `type` the rest means nothing."""
    if not isinstance(default, Block) or "type" in type(default).model_fields:
        return {}
    return default.model_dump(include=default.model_fields_set)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The settings in a YAML file, not checked yet.

    Raises:
        ConfigError: the file cannot be read, or holds no mapping; names the file.
    """
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = str(error).replace("<unicode string>", str(path))
        raise ConfigError(f"{path}: not valid YAML: {said}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a mapping of settings is expected, not {type(raw).__name__}")
    return raw


def resolve(
    raw: dict[str, Any], overrides: dict[str, Any], place: str, kind: type[AnyConfig], *, foreign: bool = False
) -> AnyConfig:
    """Lay overrides over plain settings and check them.

    Args:
        raw: the settings.
        overrides: values by dotted name.
        place: opens every error message; of arguments `--`, which opens every setting's name.
        kind: what checks them.
        foreign: whether others may have written them, so that they may not name code to run (`hero_rl.own`).

    Raises:
        ConfigError: a setting is unknown, missing or wrong; names it.
    """
    merged = _overridden(raw, overrides, kind)
    try:
        with nullcontext() if foreign else own_code():
            return kind.model_validate(merged)
    except ValidationError as error:
        opening, dashes = ("", "--") if place == "--" else (f"{place}: ", "")
        raise ConfigError("\n".join(f"{opening}{line}" for line in _explain(error, merged, kind, dashes))) from None


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
            if not queue or is_name(queue[0]):
                raise ConfigError(f"{name} has no value; a switch is turned on by {name} true")
            value = queue.pop(0)
        try:
            overrides[name[2:].replace("-", "_")] = yaml.load(value, _Loader)
        except (yaml.YAMLError, RecursionError):
            raise ConfigError(f"{name}: {value[:60]!r} is not a value") from None
    return overrides


def is_name(argument: str) -> bool:
    """Whether a word of a command line is the name of an argument, with or without its value, rather than a value."""
    return _NAME.match(argument) is not None


def _overridden(raw: dict[str, Any], overrides: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in raw.items()}
    named = {name.partition(".")[0] for name in overrides if "." in name}
    for block, usual in _usual_types(kind).items():
        if isinstance(merged.get(block), dict) or (block in named and merged.get(block) is None):
            merged[block] = {"type": usual} | (merged.get(block) or {})
    lay_over(merged, overrides)
    for block, usual in _usual_types(kind).items():
        if isinstance(merged.get(block), dict):  # given whole, and without a type
            merged[block] = {"type": usual} | merged[block]
    return merged


def _usual_types(kind: type[BaseModel]) -> dict[str, str]:
    """What type each block of a configuration is of, where it names none."""
    defaults = {name: getattr(field.default, "type", None) for name, field in kind.model_fields.items()}
    usual = {name: default or _USUAL_TYPES.get(name) for name, default in defaults.items()}
    return {name: said for name, said in usual.items() if isinstance(said, str)}


def lay_over(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put values by dotted name into nested settings, in place; missing blocks are made.

    Raises:
        ConfigError: a name leads through a value that is no block.
    """
    # A block that is given whole comes before what is given of it, and its type before the rest: with another type a
    # block's earlier settings mean nothing, unless they were given beside it.
    whole = {name for name, value in overrides.items() if isinstance(value, Mapping)}
    for name in sorted(overrides, key=lambda name: (name.count("."), name.rpartition(".")[2] != "type")):
        *blocks, last = name.split(".")
        value = overrides[name]
        target = settings
        for block in blocks:
            if target.get(block) is None:
                target[block] = {}
            target = target[block]
            if not isinstance(target, dict):
                raise ConfigError(f"--{name}: {block!r} is a value, not a block of settings")
        if last == "type" and target.get("type") != value and ".".join(blocks) not in whole:
            target.clear()
        target[last] = dict(value) if isinstance(value, Mapping) else value
    return settings


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with every dotted name, at any depth, as blocks: `{"a.b": 1}` is `{"a": {"b": 1}}`.

    Raises:
        ConfigError: a setting is given twice, or is a value and a block.
    """
    whole: dict[str, Any] = {}
    for name, value in settings.items():
        *blocks, last = str(name).split(".")
        part: Any = nested(value) if isinstance(value, Mapping) else value
        for key in [last, *reversed(blocks)]:
            part = {key: part}
        _merge(whole, part, "")
    return whole


def _merge(settings: dict[str, Any], more: dict[str, Any], place: str) -> None:
    for key, value in more.items():
        if key not in settings:
            settings[key] = value
        elif isinstance(value, dict) and isinstance(settings[key], dict):
            _merge(settings[key], value, f"{place}{key}.")
        else:
            raise ConfigError(f"{place}{key} is given twice")


def _explain(error: ValidationError, merged: dict[str, Any], kind: type[BaseModel], dashes: str) -> list[str]:
    """One line a mistake: where, what, and the nearest known name for an unknown one."""
    lines = []
    for mistake in error.errors():
        where = _path_in(merged, mistake["loc"])
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            message = f"unknown setting{_suggestion(where, merged, kind)}"
        elif mistake["type"] == "missing":
            message = "missing"
        elif mistake["type"].startswith("union_tag_"):
            where, message = [*where, "type"], _about_type(mistake["type"], mistake.get("ctx", {}))
        lines.append(f"{dashes}{'.'.join(where)}: {message}" if where else message)
    return lines


def _about_type(mistake: str, context: Mapping[str, Any]) -> str:
    """What is wrong with the type of a block that may be of several; pydantic lists these where it knows the given."""
    if mistake == "union_tag_not_found":
        return "missing"
    given, known = str(context["tag"]), re.findall(r"'([^']+)'", str(context["expected_tags"]))
    return none_of(given, known)


def none_of(given: object, known: Iterable[str]) -> str:
    """A message about a value that is none of the known ones, with the nearest of them."""
    names = list(known)
    return f"{given!r} is none of {', '.join(names)}{did_you_mean(str(given), names)}"


def _path_in(merged: dict[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """Drop the names that pydantic adds for the member of a union, which no file contains."""
    path: list[str] = []
    node: Any = merged
    for number, key in enumerate(loc, start=1):
        if isinstance(node, dict) and key not in node and (node.get("type") == key or number < len(loc)):
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
