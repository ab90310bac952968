"""The folder of an evaluation: settings, versions, rollouts, grades, problems and the result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hero_rl.errors import ConfigError
from hero_rl.evaluation.settings import EvalConfig
from hero_rl.files.environment import environment
from hero_rl.files.lock import only_writer
from hero_rl.files.whole import write_json, write_whole
from hero_rl.settings import read_yaml, resolve
from hero_rl.verifiers.code import LocalSandbox

__all__ = ["RunFolder", "read_config"]

_OURS = ("rollouts", "problems", "grades")
_WRITER = "written_by.json"
_TRUSTED = ("trust_remote_code", "api_key_env")
_ALL_WALLS = set(LocalSandbox().walls)
_MODEL_FILES = {".safetensors", ".bin", ".json", ".jinja"}


def read_config(folder: Path, given: str | None, overrides: dict[str, Any], restart: bool = False) -> EvalConfig:
    """The settings of an evaluation: those that the folder holds, or those of a file, with overrides over them.

    Args:
        folder: the evaluation's; settings of an earlier call are read from it where no file is given.
        given: a YAML file.
        overrides: values by dotted name.
        restart: pay no heed to what the folder holds.

    Raises:
        ConfigError: a setting is unknown, missing or wrong, the folder holds a run of another kind, or its own settings
            ask for trust that the caller has not given.
    """
    record = folder / "config.yaml"
    if not record.exists() or restart:
        if not given and not any(name.startswith("benchmarks") for name in overrides):
            raise ConfigError("--benchmarks: name one at least, or give --config")
        return resolve(read_yaml(given) if given else {}, overrides, given or "--", EvalConfig)
    try:
        # Beside a file of the caller's, only the model is read from the record; a stranger may have written that.
        written = {name: value for name, value in read_yaml(record).items() if not (given and name == "verifier")}
        before = resolve(written, {}, str(record), EvalConfig, foreign=True)
    except ConfigError as error:
        raise ConfigError(f"{folder} holds no evaluation that can go on; choose another folder\n{error}") from None
    raw = read_yaml(given) if given else before.model_dump(mode="json")
    if not given:
        _refuse_borrowed_trust(raw, overrides, record)
    config = resolve(raw, overrides, given or str(record), EvalConfig)
    if given and config.generator is None and before.generator is not None:  # the model is the record's after all
        _refuse_borrowed_trust({"generator": before.generator.model_dump(mode="json")}, overrides, record)
    return _with_known_model(config, before)


def _refuse_borrowed_trust(raw: Mapping[str, Any], overrides: Mapping[str, Any], record: Path, above: str = "") -> None:
    """A folder may be a stranger's: what runs code or sends a key away is said by the caller, not by a file in it."""
    for name, value in raw.items():
        dotted = f"{above}{name}"
        if isinstance(value, Mapping):
            _refuse_borrowed_trust(value, overrides, record, f"{dotted}.")
        elif name == "walls" and set(value) != _ALL_WALLS and overrides.get(dotted) != value:
            raise ConfigError(
                f"{record}: {dotted} is {value!r}, which takes your word: --{dotted} '{json.dumps(value)}'"
            )
        elif name in _TRUSTED and value and overrides.get(dotted) != value:
            said = "true" if value is True else value
            raise ConfigError(f"{record}: {dotted} is {value!r}, which takes your word: --{dotted} {said}")


def _with_known_model(config: EvalConfig, before: EvalConfig) -> EvalConfig:
    """A server's model that is not named is the one that answered before, under its name."""
    new, old = config.generator, before.generator
    if new is None:
        new = old
    elif new.type == "openai" and new.model is None and old is not None and old.type == "openai":
        new = new.model_copy(update={"model": old.model})
    return config.model_copy(update={"generator": new})


class RunFolder:
    """Where an evaluation lies; only one process writes there at a time.

    Attributes:
        path: the folder, which is made on entering.

    Raises:
        ConfigError: another process is writing there, or it is no folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path} is no folder")
        self._hold = only_writer(path)

    def __enter__(self) -> RunFolder:
        self._hold.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hold.__exit__(*error)

    def rollouts(self, benchmark: str) -> Path:
        """The file of a benchmark's responses."""
        return self.path / "rollouts" / f"{benchmark}.jsonl"

    def problems(self, benchmark: str) -> Path:
        """The file of a benchmark's verdicts, a row a problem."""
        return self.path / "problems" / f"{benchmark}.jsonl"

    def grades(self, benchmark: str) -> Path:
        """The folder of what graders said of a benchmark's responses."""
        return self.path / "grades" / benchmark

    @property
    def result(self) -> Path:
        """The file of the result."""
        return self.path / "result.json"

    def clear(self) -> None:
        """Remove what an evaluation wrote."""
        for name in _OURS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("result.json", "config.yaml", "environment.json", _WRITER):
            (self.path / name).unlink(missing_ok=True)

    def refuse_another_model(self, config: EvalConfig, rescore: bool) -> None:
        """Raise a `ConfigError` where the folder holds responses that these settings would not give.

        What has become of the model's files since makes no difference where none is to be written (`rescore`).
        """
        before = self._writer()
        if config.generator is None or not before or not any((self.path / "rollouts").glob("*.jsonl*")):
            return
        changed = _changes(before["settings"], config.write_identity())
        files = _model_files(config)
        if (
            not rescore and files and before["files"] and files != before["files"]
        ):  # a model that is gone wrote what is there
            changed.append("the files of generator.path have changed")
        if changed:
            raise ConfigError(
                f"{self.path} holds responses by other settings: {'; '.join(changed)}; choose another folder, or begin "
                "anew with --restart"
            )

    def write_records(self, config: EvalConfig, rescore: bool) -> None:
        """Write the settings, the versions, and, unless nothing is to be written, what writes the responses."""
        if config.generator is not None and not rescore:
            files = _model_files(config) or self._writer().get("files")
            write_json(self.path / _WRITER, {"settings": config.write_identity(), "files": files})
        settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_whole(self.path / "config.yaml", settings)
        write_json(self.path / "environment.json", environment())

    def _writer(self) -> dict[str, Any]:
        """What wrote the responses that are there; empty where that is not known."""
        record = self.path / _WRITER
        return json.loads(record.read_text()) if record.exists() else {}


def _model_files(config: EvalConfig) -> dict[str, list[int]] | None:
    """Size and time of the files of a model in a folder: trained on, it is another one under the same name."""
    generator = config.generator
    if generator is None or generator.type != "transformers" or not Path(generator.path).expanduser().is_dir():
        return None
    files = sorted(file for file in Path(generator.path).expanduser().iterdir() if file.suffix in _MODEL_FILES)
    return {file.name: [file.stat().st_size, file.stat().st_mtime_ns] for file in files}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> list[str]:
    changes = []
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict) and name != "extra_body":
            changes += _changes(old, new, f"{place}{name}.")
        elif old != new:
            changes.append(f"{place}{name} was {old!r} and is {new!r}")
    return changes
