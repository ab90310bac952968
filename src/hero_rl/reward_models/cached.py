"""Scores that are computed once: a file of those known, before any reward model.

    inner = LocalRewardModelConfig(path="nvidia/AceMath-7B-RM")
    reward_model = CachedRewardModelConfig(path="scores.sqlite", inner=inner).load()
    scores = reward_model.score(conversations)  # only what the file lacks is scored

For evaluation, for studies that score the same completions under many rules, and for a training run taken up again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator

from hero_rl.counters import Counters
from hero_rl.errors import ConfigError
from hero_rl.own import Own
from hero_rl.reward_models.base import Conversation, RewardModel, Scores
from hero_rl.reward_models.generative import GenerativeRewardModelConfig
from hero_rl.reward_models.local import LocalRewardModelConfig
from hero_rl.reward_models.remote import RemoteRewardModelConfig

__all__ = ["CachedRewardModel", "CachedRewardModelConfig", "key_of"]

_logger = logging.getLogger(__name__)

_APPLICATION = 0x4845524F  # "HERO", by which SQLite knows whose file it is
_VERSION = 1
_SECONDS_FOR_OTHERS = 60.0

# What a score does not depend on. A setting that is not listed makes another score of it, which costs time at worst.
_INDIFFERENT = {
    "local": {"trust_remote_code", "device", "token_budget"},
    "generative": {"trust_remote_code", "device", "token_budget"},
    "remote": {
        "trust_remote_code",
        "api_key_env",
        "batch_size",
        "concurrency",
        "seconds",
        "retries",
        "tolerance",
        "within_unit_interval",
    },
}


class CachedRewardModelConfig(BaseModel):
    """A reward model's configuration block with a file for its scores.

    Scores of one file are told apart by the settings of `inner` that change them, and by names, sizes and times of the
    files of a checkpoint in a folder, so that one trained anew is another one. The URLs of a remote model count only
    where its `model` is not named; what is served under a name, nobody here can tell: after a change, name another
    file.

    Attributes:
        path: the file; made where there is none. It has to lie on a local disk, not on a network's.
        inner: the reward model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["cached"] = "cached"
    path: Path
    inner: Annotated[
        LocalRewardModelConfig | GenerativeRewardModelConfig | RemoteRewardModelConfig, Field(discriminator="type")
    ]

    @field_validator("inner", mode="before")
    @classmethod
    def _usually_local(cls, inner: Any) -> Any:
        return {"type": "local", **inner} if isinstance(inner, Mapping) else inner

    def load(self) -> CachedRewardModel:
        """Open the file, then load the reward model.

        Raises:
            ConfigError: the file is no cache, or a damaged one, or cannot be written; or the reward model's.
        """
        _prepare(self.path)  # first, as it is quick
        return CachedRewardModel(self.inner.load(), self.path, key_of(self.inner))


class CachedRewardModel:
    """Asks a reward model for what a file of scores lacks, and files what it says.

    A score is filed under the SHA-256 of the key and the conversation's canonical JSON, as its float32 bits. NaN is
    never filed: what failed is tried again. A conversation that is no JSON is scored each time.

    The file is SQLite, opened anew for each call: threads, forks and other processes may use it at one time, and one
    that is killed leaves whole scores only. Where reading or writing fails (disk full, locked for a minute), the scores
    come from the reward model and the failure is counted.

    Attributes:
        inner: the reward model.
        path: the file.
        key: what tells this reward model's scores from another's.

    Raises:
        ConfigError: the key is empty, or the file is no cache, or a damaged one, or cannot be written.
    """

    def __init__(self, inner: RewardModel, path: str | Path, key: str) -> None:
        if not key:
            raise ConfigError("key is empty; it must tell this reward model's scores from another's")
        self.inner = inner
        self.path = Path(path).absolute()
        self.key = key
        self._counts = Counters("hits", "misses", "missing", "cache_failures")
        self._failure_logged = False
        _prepare(self.path)

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows counted since the object was made, on top of what the reward model counts.

        `hits`: rows that it was not asked for, also as they were twice in a batch; `misses`: the others; `missing`: NaN
        in either way. `cache_failures`: reads and writes of the file that failed.
        """
        return {**self.inner.counters, **{name: int(count) for name, count in self._counts.totals.items()}}

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """Raw logits (B,) in input order, NaN for what the reward model could not score.

        Raises:
            ConfigError: the file is damaged.
            ValueError: the reward model returned anything but one score a conversation.
        """
        # What cannot be filed stands for itself.
        names = [self._digest(conversation) or row for row, conversation in enumerate(conversations)]
        known: dict[bytes | int, float] = {**self._read([name for name in names if isinstance(name, bytes)])}
        rows = {name: row for row, name in reversed([*enumerate(names)]) if name not in known}
        asked = sorted(rows.items(), key=lambda item: item[1])
        if asked:
            fresh = _checked(self.inner.score([conversations[row] for _, row in asked]), len(asked))
            found = {name: score for (name, _), score in zip(asked, fresh, strict=True)}
            if filed := {name: score for name, score in found.items() if isinstance(name, bytes) and score == score}:
                self._write(filed)
            known.update(found)
        scores = torch.tensor([known[name] for name in names], dtype=torch.float32)
        self._counts.add(hits=len(names) - len(asked), misses=len(asked), missing=int(scores.isnan().sum()))
        return scores

    def _digest(self, conversation: Conversation) -> bytes | None:
        try:
            messages = [dict(message) for message in conversation]
            text = json.dumps([self.key, messages], sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return None
        return hashlib.sha256(text.encode()).digest()

    def _read(self, names: list[bytes]) -> dict[bytes, float]:
        known: dict[bytes, float] = {}
        with self._survives("read"), _opened(self.path) as connection:
            for name in dict.fromkeys(names):
                found = connection.execute("SELECT score FROM scores WHERE name = ?", (name,)).fetchone()
                if found is not None:
                    known[name] = struct.unpack("<f", found[0])[0]
        return known

    def _write(self, scores: Mapping[bytes, float]) -> None:
        rows = [(name, struct.pack("<f", score)) for name, score in scores.items()]
        with self._survives("written"), _opened(self.path) as connection:
            connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)

    @contextmanager
    def _survives(self, done: str) -> Iterator[None]:
        """Counts what the file fails at, and logs the first; a damaged one is an error."""
        try:
            yield
        except sqlite3.OperationalError as error:
            self._counts.add(cache_failures=1)
            if not self._failure_logged:
                said = "the scores in %s cannot be %s (logged once, counted always): %s"
                _logger.warning(said, self.path, done, error)
            self._failure_logged = True
        except (sqlite3.DatabaseError, struct.error) as error:
            raise ConfigError(_damaged(self.path, error)) from None


def key_of(
    block: LocalRewardModelConfig
    | GenerativeRewardModelConfig
    | RemoteRewardModelConfig
    | CachedRewardModelConfig
    | Own,
) -> str:
    """The settings that change scores, and names, sizes and times of the files of a checkpoint in a folder."""
    if isinstance(block, CachedRewardModelConfig):
        return key_of(block.inner)
    if isinstance(block, Own):
        return block.model_dump_json()
    settings = block.model_dump(mode="json", exclude=_INDIFFERENT[block.type])
    if settings.get("model") is not None:
        del settings["urls"]  # a named model is the same wherever it is served
    folder = Path(block.tokenizer if isinstance(block, RemoteRewardModelConfig) else block.path)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    state = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return json.dumps([settings, state], sort_keys=True)


def _checked(scores: Any, rows: int) -> list[float]:
    """Scores as numbers that are float32's, NaN where not finite."""
    given = torch.as_tensor(scores, dtype=torch.float32).detach().cpu()
    if given.shape != (rows,):
        raise ValueError(f"the reward model returned scores of shape {tuple(given.shape)} for {rows} conversations")
    return given.where(given.isfinite(), torch.nan).tolist()


@contextmanager
def _opened(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """A connection for one transaction, which waits a minute for others."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_SECONDS_FOR_OTHERS)) as connection, connection:
        yield connection


def _damaged(path: Path, error: object) -> str:
    return f"path: {path} is no file of scores, or a damaged one ({error}); delete it or name another"


def _prepare(path: Path) -> None:
    """Make the file, or make sure that it is one of ours, whole and writable."""
    try:
        with _opened(path, "rwc") as connection:
            connection.execute("BEGIN IMMEDIATE")
            owner = tuple(
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if owner == (0, 0) and not tables:
                connection.execute("CREATE TABLE scores (name BLOB PRIMARY KEY, score BLOB NOT NULL) WITHOUT ROWID")
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif owner != (_APPLICATION, _VERSION):
                raise ConfigError(_damaged(path, "it is another program's, or another version's"))
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise ConfigError(f"path: the file of scores {path} cannot be opened and written: {error}") from None
    except sqlite3.DatabaseError as error:
        raise ConfigError(_damaged(path, error)) from None
    if said != "ok":
        raise ConfigError(_damaged(path, said))
