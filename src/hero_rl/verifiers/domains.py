r"""A verifier for each domain of mixed data.

    verifier = ByDomain({"math": MathVerifier(), "words": ShareOfWords()})
    verifier.verify(Request("4", r"\boxed{4}", domain="math")).value  # 1.0

The domain of a row is named by a column: `domain_column` in TRL, `data_source` in verl, `domain` in files and requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hero_rl.errors import DataError
from hero_rl.verifiers.asking import Asked
from hero_rl.verifiers.base import BatchVerifier, Reason, Request, Verdict, Verifier

__all__ = ["ByDomain", "by_domain"]


class ByDomain:
    """Asks of each request the verifier of its domain, each of them once a batch.

    A verifier that raises costs verdicts in its own domain alone, see `Asked`. A domain whose verifier is None has none
    on purpose, as free text may: its requests abstain with `Reason.NO_VERIFIER`.

    Args:
        verifiers: by the domain's name.
        default: for requests of any other domain, and of none; without one they are an error.

    Raises:
        ValueError: there is no verifier.
    """

    takes_requests = True
    needs_reference = False  # its verifiers may

    def __init__(
        self, verifiers: Mapping[str, Verifier | BatchVerifier | None], default: Verifier | BatchVerifier | None = None
    ) -> None:
        if all(each is None for each in verifiers.values()):
            raise ValueError("verifiers: name one domain with a verifier at least")
        self.verifiers, self.default = dict(verifiers), default
        self._asked = {name: None if each is None else Asked(each) for name, each in self.verifiers.items()}
        self._default = None if default is None else Asked(default)

    @property
    def counters(self) -> dict[str, float]:
        """The verifiers' own totals, summed by name."""
        total: Counter[str] = Counter()
        for each in self._all():
            total.update(getattr(each.verifier, "counters", {}))
        return dict(total)

    @property
    def first_failure(self) -> str:
        """What the first failure of one of them came to; empty where none is known."""
        return next((each.first_failure for each in self._all() if each.first_failure), "")

    @property
    def parts(self) -> list[Verifier | BatchVerifier]:
        """The verifiers that are asked."""
        return [each.verifier for each in self._all()]

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1, in any domain."""
        return any(getattr(each, "gives_grades", False) for each in self.parts)

    def check(self, domains: Iterable[str], places: Iterable[object]) -> None:
        """Make sure that there is a verifier for each row's domain.

        Raises:
            DataError: there is none for one; names place, domain and the known ones.
        """
        for domain, place in zip(domains, places, strict=True):
            self._of(domain, place)

    def applies(self, request: Request) -> bool:
        """Whether a request's domain has a verifier, and that something to judge by.

        Raises:
            DataError: the domain is unknown.
        """
        asked = self._of(request.domain, "a request")
        return asked is not None and asked.applies(request)

    def verify(self, request: Request) -> Verdict:
        """Judge one completion, as a batch of one."""
        return self.verify_batch([request])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge a batch; one verdict a request, in the order given.

        Raises:
            DataError: a request is of a domain that has no verifier.
            HeroError: a verifier can never work.
        """
        rows = [Request.of(request) for request in requests]
        parts: dict[int, tuple[Asked, list[int]]] = {}
        verdicts: dict[int, Verdict] = {}
        for number, row in enumerate(rows):
            asked = self._of(row.domain, f"requests[{number}]")
            if asked is None:
                verdicts[number] = Verdict.of(Reason.NO_VERIFIER)
            else:
                parts.setdefault(id(asked), (asked, []))[1].append(number)
        for asked, numbers in parts.values():
            verdicts.update(zip(numbers, asked.verdicts([rows[number] for number in numbers]), strict=True))
        return [verdicts[number] for number in range(len(rows))]

    def close(self) -> None:
        """End the processes and connections of all."""
        for each in self._all():
            close = getattr(each.verifier, "close", None)
            if callable(close):
                close()

    def __enter__(self) -> ByDomain:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.verifiers, self.default)

    def _all(self) -> list[Asked]:
        return [asked for asked in (*self._asked.values(), self._default) if asked is not None]

    def _of(self, domain: str, place: object) -> Asked | None:
        """The verifier of a domain; None of one that has none on purpose."""
        asked = self._asked.get(domain, self._default)
        if asked is None and domain not in self._asked:
            known = ", ".join(map(repr, self._asked))
            what = f"is of the domain {domain!r}, which has" if domain else "names no domain, and so has"
            raise DataError(f"{place} {what} no verifier; known: {known}")
        return asked


def by_domain(
    verifier: Verifier | BatchVerifier | Mapping[str, Verifier | BatchVerifier | None],
) -> Verifier | BatchVerifier:
    """The verifier, or of a mapping by domain the one that asks them."""
    return ByDomain(verifier) if isinstance(verifier, Mapping) else verifier
