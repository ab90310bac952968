"""How the service listens, what it scores with, and how much it takes from a client."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AnyRule, Hero, check_grades
from hero_rl.service.messages import MOST_ROLLOUTS
from hero_rl.verifiers import AnyVerifier, MathVerifier, Processes

__all__ = ["Limits", "OpenRLHF", "ServiceConfig", "is_loopback"]

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Limits(BaseModel):
    """How much a client may ask for.

    Attributes:
        body_mb: size of a request in MiB; a larger one is answered 413.
        rollouts: rollouts of one request; more are answered 422.
        groups: groups of one request; more are answered 422.
        characters: length of a prompt, a completion or a reference; a longer one is answered 422.
        requests: requests that are read or answered at the same time; a further one is answered 429.
        peer_requests: of these, requests from one address; a further one is answered 429.
        connections: connections at the same time; on a further one requests are answered 503.
        seconds: time to answer a request that was read; after it, 504.
        body_seconds: time in which a request's head, and then its body, must arrive; after it the connection ends.
        drain_seconds: time that requests at work have to end when the service is told to.
        runs: runs whose state is kept; a further one takes the place of one that was idle, or is answered 429.
        run_idle_seconds: after so long a run may lose its place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_mb: Annotated[float, Field(gt=0, le=1024)] = 8.0
    rollouts: Annotated[int, Field(ge=1, le=MOST_ROLLOUTS)] = 1024
    groups: Count = 256
    characters: Count = 200_000
    requests: Count = 128
    peer_requests: Count = 96
    connections: Count = 1024
    seconds: Seconds = 120.0
    body_seconds: Seconds = 10.0
    drain_seconds: Count = 30
    runs: Count = 256
    run_idle_seconds: Annotated[float, Field(gt=0)] = 86_400.0


class OpenRLHF(BaseModel):
    """How OpenRLHF's texts are read.

    Attributes:
        end_texts: special tokens that are taken off the end of a completion, as they are no part of an answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    end_texts: tuple[Annotated[str, Field(min_length=1)], ...] = (
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|end_of_text|>",
        "<|end|>",
        "<|return|>",
        "<|end▁of▁sentence|>",
        "<\uff5cend▁of▁sentence\uff5c>",
        "<|end of sentence|>",
        "<end_of_turn>",
        "</s>",
        "<eos>",
        "[EOS]",
    )


class ServiceConfig(BaseModel):
    """One service.

    Attributes:
        host: address to listen on. Any but this machine's own (127.0.0.1, ::1, localhost) needs `token_env`.
        port: TCP port; 0 takes a free one.
        token_env: name of the environment variable with the token that clients must send as
            `Authorization: Bearer TOKEN`; none asks for no token.
        verifier: judges completions.
        verifier_processes: the processes that a rule verifier runs in.
        reward_model: scores them; none leaves scores null, with which HERO falls back on the verdicts.
        rule: combines both signals.
        threads: batches that are scored at the same time; a reward model in this process is given one at a time.
        openrlhf: how OpenRLHF's texts are read.
        limits: how much a client may ask for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    token_env: str | None = None
    verifier: AnyVerifier = MathVerifier()
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    rule: AnyRule = Hero()
    threads: Annotated[int, Field(ge=1, le=256)] = 8
    openrlhf: OpenRLHF = OpenRLHF()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _check(self) -> ServiceConfig:
        if self.token_env is None and not is_loopback(self.host):
            raise ValueError(f"host {self.host} can be reached from other machines, so token_env must name a token")
        check_grades(self.rule, self.verifier)
        return self


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
