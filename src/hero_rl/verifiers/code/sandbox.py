"""What a sandbox is asked, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Job", "Ran", "SandboxError"]


@dataclass(frozen=True)
class Job:
    """A Python program to run.

    Attributes:
        program: its text.
        stdin: what it can read.
        max_bytes: of its output; more is too large.
    """

    program: str
    stdin: str = ""
    max_bytes: int = 2**20


@dataclass(frozen=True)
class Ran:
    """What came of a program.

    Attributes:
        how: `finished` (without an error), `failed`, `too_slow` or `too_large`.
        stdout: what it wrote.
    """

    how: Literal["finished", "failed", "too_slow", "too_large"]
    stdout: str = ""


class SandboxError(Exception):
    """A sandbox ran nothing, or says nothing of what it ran."""
