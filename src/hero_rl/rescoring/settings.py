"""How a file is judged, scored and shaped anew."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hero_rl.auditing import refuse_unfit_auditor
from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AuditableRule, Hero, check_grades
from hero_rl.verifiers import AnyVerifier, Processes

__all__ = ["Rescoring"]


class Rescoring(BaseModel):
    """How a file is rescored.

    Attributes:
        rule: combines verdict and score.
        verifier: judges anew; None keeps the file's verdicts, and takes the maths verifier for a file without.
        verifier_processes: the processes that a rule verifier runs in.
        reward_model: scores anew; None keeps the file's scores.
        auditor: judges the few rollouts of a batch that the rule `audited_hero` draws.
        batch_groups: groups of a batch, in files without steps.
        max_missing: stop when verifier, reward model or auditor fail on a larger share than this of 128 rollouts or
            more that they are asked about; what was judged before is kept for the next call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: AuditableRule = Hero()
    verifier: AnyVerifier | None = None
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    auditor: AnyVerifier | None = None
    batch_groups: Annotated[int, Field(ge=1)] = 128
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _check_auditor(self) -> Rescoring:
        refuse_unfit_auditor(self.rule, self.auditor)
        return self

    @model_validator(mode="after")
    def _check_grades(self) -> Any:
        check_grades(self.rule, self.verifier)
        return self
