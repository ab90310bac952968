"""Asking a verifier of anybody's, whatever it does: one that fails costs verdicts, never the run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hero_rl.errors import HeroError
from hero_rl.files.rows import is_missing
from hero_rl.verifiers.base import (
    BatchVerifier,
    Reason,
    Request,
    Verdict,
    Verifier,
    best_of,
    blamed,
    said_of,
    split,
    takes_requests,
    verdicts_of,
)

__all__ = ["Asked", "first_crash"]

_logger = logging.getLogger(__name__)


class Asked:
    """A verifier that is asked about whole batches, and that may raise.

    Of several right answers to one request, a verifier that compares texts is asked about each. One that raises on a
    request gives it 0 if it does not raise on the reference itself, else an abstention (`Reason.CRASHED`); one that
    raises on a batch makes it abstain. The first failure is logged with its traceback. An error of `hero_rl.errors`
    says that the verifier can never work, and is raised.

    A request without a reference is not asked about, and has no verifier (`Reason.NO_VERIFIER`), unless the verifier's
    attribute `needs_reference` is false: it reads what it needs elsewhere in the row.

    Attributes:
        verifier: the one that is asked.
        takes_requests: whether it reads whole requests.
        needs_reference: whether it has nothing to judge by without a reference.
    """

    def __init__(self, verifier: Verifier | BatchVerifier) -> None:
        self.verifier = verifier
        self.takes_requests = takes_requests(verifier)
        self.needs_reference = bool(getattr(verifier, "needs_reference", True))
        self._failure = ""

    @property
    def first_failure(self) -> str:
        """What its first failure came to, in this process or in one of its own; empty where it knows of none."""
        return self._failure or str(getattr(self.verifier, "first_failure", ""))

    def verdicts(self, requests: Sequence[Request]) -> list[Verdict]:
        """A verdict on each request, in their order.

        Raises:
            TypeError: the verifier returned no `Verdict`.
            ValueError: it returned another number of verdicts.
            HeroError: it can never work.
        """
        asked = [split(self.verifier, request) if self.applies(request) else [] for request in requests]
        flat = [each for several in asked for each in several]
        said = iter(self._batch(flat) if isinstance(self.verifier, BatchVerifier) else map(self._one, flat))
        return [
            best_of([next(said) for _ in several]) if several else Verdict.of(Reason.NO_VERIFIER) for several in asked
        ]

    def applies(self, request: Request) -> bool:
        """Whether the verifier has something to judge a request by."""
        return not (self.needs_reference and is_missing(request.reference))

    def _batch(self, requests: Sequence[Request]) -> list[Verdict]:
        assert isinstance(self.verifier, BatchVerifier)
        try:
            verdicts = self.verifier.verify_batch(requests)
        except HeroError:
            raise
        except Exception as error:
            self._log_once("the verifier raised; its batch abstains", error)
            return [Verdict.of(Reason.CRASHED)] * len(requests)
        if len(verdicts) != len(requests):
            raise ValueError(f"the verifier returned {len(verdicts)} verdicts for {len(requests)} requests")
        for verdict in verdicts:
            _check_kind(verdict)
        return verdicts

    def _one(self, request: Request) -> Verdict:
        assert isinstance(self.verifier, Verifier)
        start = time.perf_counter()
        try:
            (verdict,) = verdicts_of(self.verifier, [request])
        except HeroError:
            raise
        except Exception as error:
            self._log_once("the verifier raised on a row", error)
            return replace(blamed(self.verifier, request, error), seconds=time.perf_counter() - start)
        _check_kind(verdict)
        return verdict

    def _log_once(self, message: str, error: Exception) -> None:
        if not self._failure:
            _logger.exception("%s (logged once, counted always)", message)
        self._failure = self._failure or said_of(error)


def first_crash(failure: str, reasons: Iterable[str | None]) -> str:
    """The end of a message about checks that failed: what the first came to, where some crashed.

    Args:
        failure: a `first_failure`; empty where none is known.
        reasons: those of the checks.
    """
    return f"; the first check that crashed: {failure:.500}" if failure and Reason.CRASHED in reasons else ""


def _check_kind(verdict: Any) -> None:
    if not isinstance(verdict, Verdict):
        raise TypeError(f"the verifier returned a {type(verdict).__name__}, not a Verdict")
