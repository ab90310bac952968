"""Settings as hydra reads them on a command line: `a.b=1`, `+a.c='x=y'`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hero_rl.errors import ConfigError

__all__ = ["hydra_word", "hydra_words"]

# What hydra takes for text without quotes, and as what it is.
_PLAIN = re.compile(r"[A-Za-z0-9_./:<>\[\]?@%+~-]*[A-Za-z_/<][A-Za-z0-9_./:<>@%+-]*")
_NOT_TEXT = re.compile(r"(?i)true|false|null|nan|[+-]?inf|[+-]?[\d_.]+(e[+-]?\d+)?")
_INTERPOLATION = re.compile(r"\$\{[\w.]+\}")


def hydra_words(settings: Mapping[str, Any], add: bool = False) -> list[str]:
    """One word a setting; `add` marks settings that the configuration does not have yet."""
    return [f"{'+' if add else ''}{name}={hydra_word(value, name)}" for name, value in settings.items()]


def hydra_word(value: Any, name: str = "") -> str:
    """A value in hydra's grammar; text that is an interpolation, `${data.seed}`, stays one.

    Raises:
        ConfigError: the value is of a kind that a command line cannot say.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(hydra_word(one, name) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_text(str(key))}:{hydra_word(one, name)}' for key, one in value.items())}}}"
    raise ConfigError(f"verl.{name}: {value!r} cannot be said to verl")


def _text(text: str) -> str:
    if _INTERPOLATION.fullmatch(text) or (_PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text) and "[" not in text):
        return text
    # Of backslashes hydra unescapes only those before a quote, and those at the end; OmegaConf those before `${`.
    escaped = re.sub(r"(\\*)(\$\{)", lambda match: match[1] * 2 + "\\" + match[2], text)
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), escaped)
    return f"'{escaped}'"
