"""Print docs/reference/configuration.md: every setting of a configuration, from the models that check it.

python docs/make_configuration.py > docs/reference/configuration.md
"""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hero_rl.data import ColdStartConfig, GymConfig, RegimesConfig, Sizes, TextbookConfig
from hero_rl.evaluation import Benchmark, EvalConfig
from hero_rl.generation import OpenAIGeneratorConfig, Sampling, TransformersGeneratorConfig
from hero_rl.problems import GeneratedProblems, ProblemSource
from hero_rl.reward_models import (
    CachedRewardModelConfig,
    GenerativeRewardModelConfig,
    LocalRewardModelConfig,
    RemoteRewardModelConfig,
)
from hero_rl.rules import AuditableRule
from hero_rl.service import Limits, OpenRLHF, ServiceConfig
from hero_rl.training import (
    DataConfig,
    DemonstrationConfig,
    ModelConfig,
    RewardDataConfig,
    RewardTrainConfig,
    SftConfig,
    StartConfig,
    TrainConfig,
    VerlSftConfig,
    VerlTrainConfig,
)
from hero_rl.verifiers import AnyVerifier, Checklist, Criterion, LocalSandbox, PointScale, Processes, RemoteSandbox

HEAD = """# Configuration

Every setting of the verbs that take a configuration, written by `python docs/make_configuration.py` from the models
that check it. Unknown keys are refused, with the nearest known name. Any setting can be overridden on the command line
by its dotted name: `--rule.type gated_hero`.

## Configuration of `hero train`

`engine` says which library trains, `trl` (the usual one) or `verl`: the blocks mean the same in both, and the block of
that name holds the library's own arguments.

```sh
hero train examples/smoke.yaml --check
```
"""

BLOCKS: list[tuple[str, list[type[BaseModel]]]] = [
    ("", [TrainConfig, VerlTrainConfig]),
    ("model", [ModelConfig]),
    ("data", [DataConfig]),
    ("data.train", [GeneratedProblems]),
    ("verifier", list(typing.get_args(typing.get_args(AnyVerifier)[0]))),
    ("verifier.sandbox", [LocalSandbox, RemoteSandbox]),
    ("verifier.rubric", [Checklist, PointScale]),
    ("verifier.rubric.criteria[]", [Criterion]),
    ("verifier_processes", [Processes]),
    (
        "reward_model",
        [
            LocalRewardModelConfig,
            GenerativeRewardModelConfig,
            RemoteRewardModelConfig,
            CachedRewardModelConfig,
        ],
    ),
    ("rule", list(typing.get_args(typing.get_args(AuditableRule)[0]))),
]

SFT_HEAD = """## Configuration of `hero sft`

Checked and overridden in the same way; the cold start of the paper: [recipes](../guides/recipes.md).
"""

SFT_BLOCKS: list[tuple[str, list[type[BaseModel]]]] = [
    ("", [SftConfig, VerlSftConfig]),
    ("model", [ModelConfig]),
    ("data", [DemonstrationConfig]),
]

REWARD_HEAD = """## Configuration of `hero train-rm`

Checked and overridden in the same way; what it does: [reward models](../guides/reward_models.md).
"""

REWARD_BLOCKS: list[tuple[str, list[type[BaseModel]]]] = [
    ("", [RewardTrainConfig]),
    ("model", [StartConfig]),
    ("data", [RewardDataConfig]),
]

SERVICE_HEAD = """## Configuration of `hero serve`

Checked and overridden in the same way; every setting has a default. `verifier`, `verifier_processes`, `reward_model`
and `rule` are the blocks of `hero train`. What it does: [signals and rewards over HTTP](../guides/service.md).
"""

SERVICE_BLOCKS: list[tuple[str, list[type[BaseModel]]]] = [
    ("", [ServiceConfig]),
    ("openrlhf", [OpenRLHF]),
    ("limits", [Limits]),
]

DATA_HEAD = """## Configuration of `hero data`

Checked and overridden in the same way; `verifier` and `verifier_processes` are the blocks of `hero train`, `generator`
and `sampling` those of `hero eval`. What is made: [data](../guides/data.md).
"""

DATA_KINDS: list[tuple[str, type[BaseModel]]] = [
    ("hero data regimes", RegimesConfig),
    ("hero data cold-start", ColdStartConfig),
    ("hero data textbook", TextbookConfig),
    ("hero data gym", GymConfig),
    ("`sizes` of the regimes", Sizes),
    ("`problems`, and each of `benchmarks`", ProblemSource),
]

EVAL_HEAD = """## Configuration of `hero eval`

Checked and overridden in the same way; `verifier`, `verifier_processes` and `judge` (of type `judge`) are the blocks of
`hero train`. What it does: [evaluation](../guides/evaluation.md).
"""

EVAL_BLOCKS: list[tuple[str, list[type[BaseModel]]]] = [
    ("", [EvalConfig]),
    ("benchmarks.NAME", [Benchmark]),
    ("generator", [OpenAIGeneratorConfig, TransformersGeneratorConfig]),
    ("sampling", [Sampling]),
]


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring's Attributes section says of each field."""
    said: dict[str, str] = {}
    for kind in reversed(model.__mro__):  # a setting that is inherited is told where it is made
        section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2].split("\n\n")[0]
        entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, re.M)
        said |= {name: " ".join(meaning.split()) for name, meaning in entries}
    return said


def type_name(annotation: Any) -> str:
    """A type as people write it in a configuration."""
    if typing.get_origin(annotation) is typing.Annotated:
        return type_name(typing.get_args(annotation)[0])
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return f"list of {type_name(arguments[0])}"
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if typing.get_origin(annotation) is dict or (inspect.isclass(annotation) and issubclass(annotation, BaseModel)):
        return "block"
    if arguments:
        return " or ".join(dict.fromkeys(type_name(a) for a in arguments))
    return {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "true or false",
        "NoneType": "null",
        "Path": "path",
    }[annotation.__name__]


def default(field: FieldInfo) -> str:
    """The default as YAML writes it."""
    if field.is_required():
        return "required"
    value = field.default
    if field.default_factory is not None:
        value = field.default_factory()  # pyright: ignore[reportCallIssue]
    if isinstance(value, BaseModel) and "type" not in type(value).model_fields:
        said = value.model_dump(include=value.model_fields_set)
        return ", ".join(f"`{name}: {given}`" for name, given in said.items()) or "its defaults"
    if isinstance(value, BaseModel):
        return f"`type: {value.type}`"  # pyright: ignore[reportAttributeAccessIssue]
    if "\n" in str(value) or "|" in str(value):
        return "built in"  # fits into no table
    return {"None": "null", "True": "`true`", "False": "`false`", "{}": "empty"}.get(str(value), f"`{value}`")


def table(model: type[BaseModel]) -> str:
    """One model's settings."""
    said = meanings(model)
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in ("type", "engine"):
            meaning = said[name][0].upper() + said[name][1:]
            lines.append(f"| `{name}` | {type_name(field.annotation)} | {default(field)} | {meaning} |")
    return "\n".join(lines)


def sections(blocks: list[tuple[str, list[type[BaseModel]]]]) -> list[str]:
    """One part a block and model."""
    parts = []
    for block, models in blocks:
        parts.append(f"### `{block}`\n" if block else "### Top level\n")
        for model in models:
            for key in {"type", "engine"} & model.model_fields.keys():
                parts.append(f"#### `{key}: {typing.get_args(model.model_fields[key].annotation)[0]}`\n")
            summary = (inspect.getdoc(model) or "").partition("Attributes:")[0].strip()
            parts.append(f"{summary}\n\n{table(model)}\n")
    return parts


def data_sections() -> list[str]:
    """One part a kind of data."""
    parts = []
    for heading, model in DATA_KINDS:
        summary = (inspect.getdoc(model) or "").partition("Attributes:")[0].strip()
        parts.append(f"### {heading}\n\n{summary}\n\n{table(model)}\n")
    return parts


def page() -> str:
    """The whole page."""
    trained = [HEAD, *sections(BLOCKS), SFT_HEAD, *sections(SFT_BLOCKS), REWARD_HEAD, *sections(REWARD_BLOCKS)]
    evaluated = [EVAL_HEAD, *sections(EVAL_BLOCKS)]
    return "\n".join([*trained, SERVICE_HEAD, *sections(SERVICE_BLOCKS), DATA_HEAD, *data_sections(), *evaluated])


if __name__ == "__main__":
    print(page(), end="")
