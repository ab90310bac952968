"""Models and chat templates from elsewhere: what is damaged or hostile in them ends in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from safetensors import SafetensorError

from hero_rl.errors import ConfigError, HeroError

__all__ = ["DAMAGED", "loading", "refuse_no_folder", "refuse_no_model", "refuse_no_source", "rendered"]

DAMAGED = (OSError, UnpicklingError, SafetensorError, UnicodeDecodeError, JSONDecodeError, RecursionError)
"""What loading damaged files raises, where other mistakes are possible too."""

_HUB_SECONDS = 10
_LONGEST = 20_000_000  # characters that a template may make of a conversation; a million tokens are a fifth


def refuse_no_folder(setting: str, path: str) -> None:
    """Refuse a path that can only be meant as a folder and is none; asks nobody.

    Raises:
        ConfigError: the message names the setting.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    folder = Path(path).expanduser()
    if folder.is_dir():
        return
    try:
        validate_repo_id(path)
        meant = path.startswith(("/", ".", "~")) or folder.exists()
    except HFValidationError:
        meant = True
    if meant:
        raise ConfigError(f"{setting}: {path}: no such folder")


def refuse_no_source(setting: str, path: str, revision: str | None = None) -> None:
    """Refuse what is neither a folder nor a name on the Hub, at once: the libraries try again for half a minute.

    Raises:
        ConfigError: the Hub has no such name, denies it, or cannot be asked for one that is not in its cache.
    """
    refuse_no_folder(setting, path)
    if Path(path).expanduser().is_dir():
        return
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    wanted = ("config.json", "tokenizer_config.json")
    if any(isinstance(try_to_load_from_cache(path, name, revision=revision), str) for name in wanted):
        return
    neither = f"{setting}: no model can be loaded from {path}: no such folder"
    if constants.HF_HUB_OFFLINE:
        raise ConfigError(f"{neither}, nor in the cache of the Hub, which HF_HUB_OFFLINE forbids to ask")
    try:
        get_hf_file_metadata(hf_hub_url(path, wanted[0], revision=revision), timeout=_HUB_SECONDS)
    except HfHubHTTPError as error:
        code = error.response.headers.get("X-Error-Code")
        if error.response.status_code in (401, 403, 404) and code != "EntryNotFound":
            why = {"GatedRepo": "wants you to be granted access", "RevisionNotFound": f"has no revision {revision}"}
            raise ConfigError(f"{neither}, and the Hub {why.get(code or '', 'has no such model for you')}") from error
    except Exception as error:  # of whichever library carries the Hub's requests
        said = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{neither}, and the Hub cannot be asked: {said}") from error


def refuse_no_model(setting: str, path: str, revision: str | None = None) -> None:
    """Refuse a source that is none (see `refuse_no_source`), and a folder without a model.

    Raises:
        ConfigError: the message says where one lies, if it is in the folder's `model`.
    """
    refuse_no_source(setting, path, revision)
    folder = Path(path).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        inside = folder / "model"
        hint = f"; did you mean {inside}?" if (inside / "config.json").is_file() else ""
        raise ConfigError(f"{setting}: {path} holds no model: it has no config.json{hint}")


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
