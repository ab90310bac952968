"""Verifiers: is a completion's final answer the reference? Yes (1), no (0) or no opinion (NaN)."""

from hero_rl.verifiers.base import (
    FAILURES,
    BatchVerifier,
    Reason,
    Request,
    StagedVerifier,
    Verdict,
    Verifier,
    verdicts_of,
)
from hero_rl.verifiers.cascade import Cascade, CascadeVerifier, Opinions
from hero_rl.verifiers.code import CodeVerifier, LocalSandbox, RemoteSandbox
from hero_rl.verifiers.configured import AnyVerifier, ByDomainVerifier
from hero_rl.verifiers.domains import ByDomain
from hero_rl.verifiers.environment import EnvironmentVerifier
from hero_rl.verifiers.exact import ExactVerifier
from hero_rl.verifiers.gym import ReasoningGymVerifier
from hero_rl.verifiers.http import HttpVerifier
from hero_rl.verifiers.instructions import InstructionVerifier
from hero_rl.verifiers.judge import JudgeVerifier
from hero_rl.verifiers.judge_prompts import Checklist, Criterion, PointScale
from hero_rl.verifiers.math import MathVerifier, verify_math
from hero_rl.verifiers.math_verify import MathVerify
from hero_rl.verifiers.multiple_choice import MultipleChoiceVerifier
from hero_rl.verifiers.processes.running import Processes, held, in_processes
from hero_rl.verifiers.processes.supervised import Supervised
from hero_rl.verifiers.references import ReferenceCheck, check_references, reference_text

__all__ = [
    "FAILURES",
    "AnyVerifier",
    "BatchVerifier",
    "ByDomain",
    "ByDomainVerifier",
    "Cascade",
    "CascadeVerifier",
    "Checklist",
    "CodeVerifier",
    "Criterion",
    "EnvironmentVerifier",
    "ExactVerifier",
    "HttpVerifier",
    "InstructionVerifier",
    "JudgeVerifier",
    "LocalSandbox",
    "MathVerifier",
    "MathVerify",
    "MultipleChoiceVerifier",
    "Opinions",
    "PointScale",
    "Processes",
    "Reason",
    "ReasoningGymVerifier",
    "ReferenceCheck",
    "RemoteSandbox",
    "Request",
    "StagedVerifier",
    "Supervised",
    "Verdict",
    "Verifier",
    "check_references",
    "held",
    "in_processes",
    "reference_text",
    "verdicts_of",
    "verify_math",
]
