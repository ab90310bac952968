"""Settings as hydra reads them on a command line: `a.b=1`, `+a.c='x=y'`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hero_rl.errors import ConfigError

__all__ = ["hydra_word", "hydra_words"]

# What hydra takes for text without quotes; `<model.path>` stands for what a user fills in.
_PLAIN = re.compile(r"([A-Za-z0-9_./:?@%+-]|<[a-z_.]+>)+")
_NOT_TEXT = re.compile(r"(?i)true|false|null|nan|[+-]?inf|[+-]?[\d_.]+(e[+-]?\d+)?")


def hydra_words(settings: Mapping[str, Any], *, add: bool = False, literal: bool = True) -> list[str]:
    """One word a setting.

    Args:
        settings: by dotted name.
        add: mark settings that the configuration does not have yet.
        literal: text is what it is; otherwise `${data.seed}` in it is the value of that setting.

    Raises:
        ConfigError: a value is of a kind that a command line cannot say.
    """
    plus = "+" if add else ""
    return [f"{plus}{name}={hydra_word(value, name, literal)}" for name, value in settings.items()]


def hydra_word(value: Any, name: str = "", literal: bool = True) -> str:
    """A value in hydra's grammar; see `hydra_words`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return _text(value, literal)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(hydra_word(one, name, literal) for one in value)}]"
    if isinstance(value, Mapping):
        inner = (f"{_text(str(key), True)}:{hydra_word(one, name, literal)}" for key, one in value.items())
        return f"{{{','.join(inner)}}}"
    raise ConfigError(f"verl.{name}: {value!r} cannot be said to verl")


def _text(text: str, literal: bool) -> str:
    if _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text):
        return text
    # A backslash escapes a quote, and for OmegaConf `${`; elsewhere it is a backslash.
    if literal:
        text = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", text)
    text = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", text)
    return "'" + re.sub(r"\\+$", lambda match: match[0] * 2, text) + "'"
