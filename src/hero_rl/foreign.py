"""Models and chat templates from elsewhere: what is damaged or hostile in them ends in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pickle import UnpicklingError
from typing import Any

from safetensors import SafetensorError

from hero_rl.errors import ConfigError, HeroError

__all__ = ["DAMAGED", "loading", "rendered"]

DAMAGED = (OSError, UnpicklingError, SafetensorError, UnicodeDecodeError, JSONDecodeError, RecursionError)
"""What loading damaged files raises, where other mistakes are possible too."""

_LONGEST = 20_000_000  # characters that a template may make of a conversation; a million tokens are a fifth


@contextmanager
def loading(what: str, failures: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turn a failure to load files of a model into a `ConfigError`.

    The libraries raise anything for files that they cannot read, so usually anything counts.

    Args:
        what: opens the message: the setting, and what could not be done.
        failures: what counts.
    """
    try:
        yield
    except (HeroError, ModuleNotFoundError):
        raise
    except failures as error:
        if isinstance(error, UnpicklingError):
            said = "its pickled weights hold more than tensors, or are cut short; they are not loaded"
        else:
            said = " ".join(str(error).split()) or type(error).__name__
        if "out of memory" in said:
            raise
        raise ConfigError(f"{what}: {said}") from error


def rendered(tokenizer: Any, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
    """A conversation as the tokenizer's chat template writes it.

    Raises:
        ValueError: the template makes more of it than any model reads.
    """
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    if len(text) > _LONGEST:
        raise ValueError(f"the chat template makes {len(text):,} characters of one conversation")
    return text
