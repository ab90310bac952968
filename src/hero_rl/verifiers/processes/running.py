"""How a configured verifier runs: rules that compute in processes that can be killed, the rest where it is."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.own import Own
from hero_rl.verifiers.base import BatchVerifier, Verifier
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier
from hero_rl.verifiers.configured import ByDomainVerifier
from hero_rl.verifiers.domains import ByDomain
from hero_rl.verifiers.exact import ExactVerifier
from hero_rl.verifiers.math_verify import MathVerify
from hero_rl.verifiers.processes.supervised import Supervised

__all__ = ["Processes", "held", "in_processes"]

Kind = TypeVar("Kind", bound=Verifier | BatchVerifier)


class Processes(BaseModel):
    """The processes that a rule runs in; see `Supervised`.

    Attributes:
        workers: most of them; None takes this process's share of the cores.
        seconds: limit of one check's processor time.
        memory_mb: limit of each one's address space in MiB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    memory_mb: Annotated[int, Field(ge=64)] = 2048


@overload
def in_processes(verifier: Verifier, processes: Processes) -> Verifier: ...
@overload
def in_processes(verifier: Verifier | BatchVerifier, processes: Processes) -> Verifier | BatchVerifier: ...
def in_processes(verifier: Verifier | BatchVerifier, processes: Processes) -> Verifier | BatchVerifier:
    """The verifier as it should run: supervised if it computes, as it is if it compares text or sees to that itself."""
    if isinstance(verifier, Own):
        return in_processes(verifier.made, processes)
    if isinstance(verifier, CascadeVerifier):
        return Cascade(in_processes(verifier.rule, processes), verifier.judge, verifier.budget)
    if isinstance(verifier, ByDomainVerifier):
        running = {
            name: None if each is None else in_processes(each, processes) for name, each in verifier.verifiers.items()
        }
        return ByDomain(running, None if verifier.default is None else in_processes(verifier.default, processes))
    if isinstance(verifier, (ExactVerifier, BatchVerifier)):
        return verifier
    if isinstance(verifier, MathVerify):
        verifier = verifier.model_copy(update={"seconds": None})  # the process has the limit, in any thread
    return Supervised(verifier, processes.workers, processes.seconds, processes.memory_mb)


def held(verifier: Kind, stack: ExitStack) -> Kind:
    """The verifier; processes and connections that it has end with the stack."""
    ends: Any = verifier
    if hasattr(ends, "__exit__"):
        stack.enter_context(ends)
    return verifier
