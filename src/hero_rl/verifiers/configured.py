"""Verifiers as blocks of a configuration file, told apart by their `type`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.own import OrOwn
from hero_rl.verifiers.base import BatchVerifier, Request, Verdict, Verifier, takes_requests
from hero_rl.verifiers.cascade import CascadeVerifier
from hero_rl.verifiers.code import CodeVerifier
from hero_rl.verifiers.domains import ByDomain
from hero_rl.verifiers.exact import ExactVerifier
from hero_rl.verifiers.gym import ReasoningGymVerifier
from hero_rl.verifiers.http import HttpVerifier
from hero_rl.verifiers.instructions import InstructionVerifier
from hero_rl.verifiers.judge import JudgeVerifier
from hero_rl.verifiers.math import MathVerifier
from hero_rl.verifiers.math_verify import MathVerify
from hero_rl.verifiers.multiple_choice import MultipleChoiceVerifier

__all__ = ["AnyVerifier", "ByDomainVerifier", "check_columns", "columns_read", "needs_reference"]

_One = (
    MathVerifier
    | MathVerify
    | ExactVerifier
    | MultipleChoiceVerifier
    | ReasoningGymVerifier
    | InstructionVerifier
    | CodeVerifier
    | HttpVerifier
    | JudgeVerifier
    | CascadeVerifier
)
_OWN = OrOwn("a verifier", ("verify", "verify_batch"), takes_requests)
OneVerifier = Annotated[_One, Field(discriminator="type"), _OWN]
"""A verifier of one kind of tasks; a new one is added here. One of a user's own is named by its class."""


class ByDomainVerifier(BaseModel):
    """A `ByDomain` as a block of a configuration file: a verifier for each domain of mixed data.

    Attributes:
        verifiers: by the domain's name, as the rows have it; null for a domain that no verifier applies to.
        default: for all other rows; without one a row of another domain, or of none, is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    takes_requests: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False

    type: Literal["by_domain"] = "by_domain"
    verifiers: Annotated[dict[str, OneVerifier | None], Field(min_length=1)]
    default: OneVerifier | None = None

    def verify(self, request: Request) -> Verdict:
        """Judge one completion; see `ByDomain.verify`."""
        return self.verify_batch([request])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions; one verdict a request, in the order given."""
        return self._router.verify_batch(requests)

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1, in any domain."""
        return self._router.gives_grades

    def applies(self, request: Request) -> bool:
        """Whether a request's domain has a verifier, and that something to judge by; see `ByDomain.applies`."""
        return self._router.applies(request)

    def check(self, domains: Iterable[str], places: Iterable[object]) -> None:
        """Make sure that each row's domain is known; see `ByDomain.check`."""
        self._router.check(domains, places)

    @cached_property
    def _router(self) -> ByDomain:
        return ByDomain(self.verifiers, self.default)


AnyVerifier = Annotated[_One | ByDomainVerifier, Field(discriminator="type"), _OWN]
"""Any verifier as a block of a configuration file."""


def needs_reference(verifier: Verifier | BatchVerifier | None, domain: str | None = None) -> bool:
    """Whether rows need a reference: not where their verifier's attribute `needs_reference` is false, or there is none.

    Args:
        verifier: the run's, also as a block.
        domain: of the rows; None asks whether those of any domain do.
    """
    if not isinstance(verifier, (ByDomain, ByDomainVerifier)):
        return bool(getattr(verifier, "needs_reference", True))
    return any(each is not None and getattr(each, "needs_reference", True) for each in _asked(verifier, domain))


def columns_read(verifier: Verifier | BatchVerifier | None) -> list[str]:
    """Names of the columns that a verifier says it reads of a row (`reads_columns`), in any domain."""
    return sorted({name for each in _asked(verifier, None) for name in getattr(each, "reads_columns", ())})


def check_columns(
    verifier: Verifier | BatchVerifier | None, row: Mapping[str, Any], place: object, domain: str = ""
) -> None:
    """Make sure that a row has what the verifier of its domain reads of it, as far as that can tell.

    Raises:
        DataError: it does not; names place and column.
    """
    for each in _asked(verifier, domain):
        check = getattr(each, "check_columns", None)
        if callable(check):
            check(row, place)


def _asked(verifier: Verifier | BatchVerifier | None, domain: str | None) -> list[Verifier | BatchVerifier | None]:
    """The verifiers that are asked about rows of a domain; None is any."""
    if not isinstance(verifier, (ByDomain, ByDomainVerifier)):
        return [verifier]
    several, default = verifier.verifiers, verifier.default
    return [*several.values(), default] if domain is None else [several.get(domain, default)]
