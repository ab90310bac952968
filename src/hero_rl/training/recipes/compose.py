"""From the name of a recipe to its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.settings import did_you_mean, nested, read_yaml

__all__ = ["Recipe", "compose", "is_recipe", "like", "names", "summary", "with_dashes"]

_FOLDER = Path(__file__).parent
_TRL, _ONE_GPU = "trl", "one-gpu"
_ENGINES = (_TRL, "verl")
_KEYS = ("needs", "only", "include", "processes", "card")  # of a file that are no settings


@dataclass(frozen=True)
class Recipe:
    """A run, ready but for what only its user knows.

    Attributes:
        name: `engine/model/regime/rule`, or `engine/model/sft` for the cold start; `one-gpu/model/data/rule`.
        engine: `trl` or `verl`.
        verb: `train` or `sft`, the verb of `hero` that runs it.
        summary: the first comment of each of its files.
        settings: of that verb, without those that are needed; engine arguments nested.
        needs: dotted names of the settings that its user must give, and what they are.
        processes: GPUs of a run with TRL.
        card: GiB of the GPU that it is made for; None where it is not made for one.
    """

    name: str
    engine: str
    verb: str
    summary: str
    settings: dict[str, Any]
    needs: dict[str, str]
    processes: int = 1
    card: int | None = None


@dataclass
class _Draft:
    """What the files read so far have said."""

    parts: frozenset[str]
    settings: dict[str, Any] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    processes: int = 1
    card: int | None = None
    summaries: list[str] = field(default_factory=list)


def names() -> list[str]:
    """Every recipe's name: those for one GPU, then the paper's, cold starts first."""
    paper = [
        "/".join((engine, model, *rest))
        for engine in _ENGINES
        for model in _choices("models")
        for rest in [("sft",), *((regime, rule) for regime in _choices("regimes") for rule in _choices("rules"))]
    ]
    one_gpu = product(*(_choices(f"one_gpu/{part}") for part in ("models", "data", "rules")))
    return [*("/".join((_ONE_GPU, *parts)) for parts in one_gpu), *paper]


def with_dashes(name: str) -> str:
    """A name as recipes have them: rules and configurations say `gated_hero`, recipes `gated-hero`."""
    return name.replace("_", "-")


def is_recipe(name: str) -> bool:
    """Whether a recipe has this name, its `_` taken for `-`."""
    return with_dashes(name) in names()


def like(name: str) -> str:
    """The end of a message about a name that no recipe has: the nearest one, or how to see them."""
    return did_you_mean(with_dashes(name), names()) or "; `hero recipe list` shows them all"


def summary(part: str) -> str:
    """The first comment of a part's file, such as `models/qwen3-4b`."""
    return _file(part).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def compose(name: str) -> Recipe:
    """Put a recipe together; `_` in its name is taken for `-`.

    Raises:
        ConfigError: there is none of that name; the message has the nearest one.
    """
    if not is_recipe(name):
        raise ConfigError(f"no recipe {name!r}{like(name)}")
    name = with_dashes(name)
    engine, model, *rest = name.split("/")
    kind = "sft" if rest == ["sft"] else "rl"
    one_gpu = engine == _ONE_GPU
    draft = _Draft(frozenset({engine, kind, *rest} if one_gpu else {engine, model, kind, *rest}))
    for file in _one_gpu_files(model, *rest) if one_gpu else _files(kind, model, rest):
        _read(file, draft)
    if engine == "verl":
        _lay_over(draft.settings, nested({"verl.trainer.experiment_name": "-".join((model, *rest))}))
    return Recipe(
        name=name,
        engine=_TRL if one_gpu else engine,
        verb="sft" if kind == "sft" else "train",
        summary=" ".join(draft.summaries),
        settings={"engine": _TRL if one_gpu else engine} | draft.settings,
        needs=draft.needs,
        processes=draft.processes,
        card=draft.card,
    )


def _files(kind: str, model: str, rest: list[str]) -> Iterator[str]:
    yield kind
    yield f"models/{model}"
    if kind == "rl":
        yield from (f"regimes/{rest[0]}", f"rules/{rest[1]}")


def _one_gpu_files(model: str, data: str, rule: str) -> Iterator[str]:
    yield from ("one_gpu/base", f"one_gpu/models/{model}", f"one_gpu/data/{data}", f"one_gpu/rules/{rule}")


def _file(part: str) -> Path:
    return _FOLDER / f"{part}.yaml"


def _read(part: str, draft: _Draft) -> None:
    if "/" in part:
        draft.summaries.append(summary(part))
    _take(read_yaml(_file(part)), draft)


def _take(fragment: Mapping[str, Any], draft: _Draft) -> None:
    own = {key: value for key, value in fragment.items() if key not in _KEYS}
    _lay_over(draft.settings, nested(own))
    draft.needs |= fragment.get("needs", {})
    draft.processes = fragment.get("processes", draft.processes)
    draft.card = fragment.get("card", draft.card)
    if "include" in fragment:
        _read(fragment["include"], draft)
    for part, settings in fragment.get("only", {}).items():
        if part in draft.parts:
            _take(settings, draft)


def _lay_over(settings: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(settings.get(key), dict):
            _lay_over(settings[key], value)
        else:
            settings[key] = value


def _choices(folder: str) -> list[str]:
    order = {"easy": 0, "hard": 1, "mixed": 2, "hero": 0, "qwen3-4b": 0}  # the paper's
    return sorted(
        (path.stem for path in (_FOLDER / folder).glob("*.yaml")), key=lambda stem: (order.get(stem, 9), stem)
    )
