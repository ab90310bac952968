"""A folder of data and its card: what the data is made of, in numbers that another can check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

import hero_rl.verifiers
from hero_rl.errors import ConfigError
from hero_rl.files.lock import only_writer
from hero_rl.files.stages import read_json, sha256
from hero_rl.files.whole import write_json, write_whole
from hero_rl.verifiers import AnyVerifier

__all__ = [
    "Made",
    "files_of",
    "notes_of",
    "source_of",
    "table",
    "take_folder",
    "verifier_version",
    "withdraw_card",
    "write_card",
]

_CARDS = ("card.json", "card.md", "config.yaml")


@dataclass(frozen=True)
class Made:
    """What a verb of `hero data` made.

    Attributes:
        folder: where it lies.
        account: what `card.json` holds.
        kept: files that an earlier call had made.
    """

    folder: Path
    account: dict[str, Any]
    kept: list[str]


@contextmanager
def take_folder(folder: Path, kind: str, restart: bool) -> Iterator[None]:
    """Hold a folder for data of one kind, made where there is none; one that is begun anew loses its card.

    Raises:
        ConfigError: it cannot be made, another process is writing there, or it holds data of another kind, whose card
            would be lost.
    """
    with only_writer(folder):
        card = read_json(folder / "card.json")
        there = card.get("kind") if isinstance(card, dict) else None
        if there not in (None, kind):
            raise ConfigError(
                f"output_dir: {folder} holds what `hero data {there}` made; give {kind} a folder of its own"
            )
        if restart:
            withdraw_card(folder)
        yield


def withdraw_card(folder: Path) -> None:
    """Take the card away while the data changes: a folder without one is not finished."""
    for name in _CARDS:
        (folder / name).unlink(missing_ok=True)


def verifier_version(verifier: AnyVerifier) -> dict[str, Any]:
    """What a verdict depends on beside problem and solution: settings, versions, a digest of the verifiers' code."""
    folder = Path(hero_rl.verifiers.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    versions = {name: _version(name) for name in ("hero-rl", "math-verify", "sympy")}
    return {"settings": verifier.model_dump(mode="json"), "versions": versions, "code": digest.hexdigest()[:16]}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def files_of(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Name -> bytes and SHA-256 of the files of a folder."""
    return {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in names}


def write_card(folder: Path, title: str, account: Mapping[str, Any], sections: Sequence[tuple[str, str]]) -> None:
    """Write `config.yaml`, the settings, `card.md`, what people read, and `card.json`, the whole account.

    Args:
        folder: where the data lies.
        title: heading of the page.
        account: everything, as JSON; under `settings` those that made it.
        sections: heading and Markdown of each part of the page.
    """
    parts = [f"# {title}\n", *(f"## {heading}\n\n{text.strip()}\n" for heading, text in sections)]
    write_whole(folder / "config.yaml", yaml.safe_dump(account["settings"], sort_keys=False))
    write_whole(folder / "card.md", "\n".join(parts))
    write_json(folder / "card.json", account)


def notes_of(account: Mapping[str, Any]) -> str:
    """What whoever uses the data must know, in Markdown."""
    return "\n\n".join(f"**{note[0].upper()}{note[1:]}.**" for note in account["notes"])


def source_of(account: Mapping[str, Any]) -> str:
    """Where the problems come from, in Markdown."""
    source = account["problems"]
    where = source["file"][0] if source["file"] else f"revision {source['revision'] or 'unknown'}"
    return f"`{source['settings']['dataset']}`, {where}"


def table(rows: Mapping[str, Any], heading: tuple[str, str]) -> str:
    """Two columns in Markdown."""
    lines = [f"| {heading[0]} | {heading[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items())])


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
