"""The data card: what data is made of, in numbers that another can check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import hero_rl.verifiers
from hero_rl.data.stages import sha256, write_json, write_text
from hero_rl.verifiers import AnyVerifier

__all__ = ["files_of", "table", "verifier_version", "write_card"]


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
    """Write `card.json`, the whole account, and `card.md`, what people read of it.

    Args:
        folder: where the data lies.
        title: heading of the page.
        account: everything, as JSON.
        sections: heading and Markdown of each part of the page.
    """
    parts = [f"# {title}\n", *(f"## {heading}\n\n{text.strip()}\n" for heading, text in sections)]
    write_text(folder / "card.md", "\n".join(parts))
    write_json(folder / "card.json", account)


def table(rows: Mapping[str, Any], heading: tuple[str, str]) -> str:
    """Two columns in Markdown."""
    lines = [f"| {heading[0]} | {heading[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items())])


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
