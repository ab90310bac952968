"""HERO inside TRL: `HeroGRPOTrainer` and `HeroRLOOTrainer`.

    from hero_rl import GatedHero, HeroGRPOConfig, HeroGRPOTrainer, MathVerifier, Supervised

    trainer = HeroGRPOTrainer(
        model="Qwen/Qwen3-4B-Base",
        args=HeroGRPOConfig(output_dir="out", reference_column="answer"),
        train_dataset=dataset,  # columns: prompt, answer
        verifier=Supervised(MathVerifier()),
        reward_model="nvidia/AceMath-7B-RM",
        rule=GatedHero(),
    )
    trainer.train()

Everything else, generation, vLLM, PEFT, the loss, is the trainer's own. Two of its methods are extended:

- `_calculate_rewards` asks the scorer instead of a list of reward functions, gathers both raw signals over all ranks
  and applies the rule to the whole batch, on the CPU, so that every rank computes the same numbers.
- `_generate_and_score_completions` adds the rule's advantages to what the trainer computed. The trainer sees its
  reward columns with weight 0, so that what it computed is 0 for GRPO and the KL penalty's part alone for RLOO.

Works with TRL 1.8 to 1.16.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, get_args
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from hero_rl.extras import named

try:
    from accelerate.utils import gather, gather_object
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
except ModuleNotFoundError as error:
    raise named(error) from None

from hero_rl.auditing import Auditor, auditor_for
from hero_rl.errors import ConfigError, DataError
from hero_rl.files.messages import stored_message
from hero_rl.files.rows import json_columns, short
from hero_rl.monitoring import batch_metrics
from hero_rl.monitoring.unscorable import UnscorableWindow, lost_of
from hero_rl.monitoring.watch import Watch
from hero_rl.reward_models import AnyRewardModel, RewardModel, ready
from hero_rl.rules import GatedHero, Groups, Rule, State, check_grades, leave_one_out
from hero_rl.scoring import Scored, Scorer, Turns
from hero_rl.signals import Shaped, Signals
from hero_rl.trainers.dataset import check_datasets, reference_of, warn_of_unreadable, whole_row
from hero_rl.trainers.environments import check_environments, environment_rewards
from hero_rl.trainers.resuming import ExactResume
from hero_rl.trainers.rollout_files import RolloutFiles
from hero_rl.trainers.state import STATE_FILE, read_state, state_metrics, write_state
from hero_rl.verifiers import BatchVerifier, Verifier
from hero_rl.verifiers.base import takes_requests
from hero_rl.verifiers.configured import needs_reference
from hero_rl.verifiers.domains import by_domain
from hero_rl.verifiers.environment import REWARD
from hero_rl.verifiers.math.text.thinking import leaves_in_thought

__all__ = ["STATE_FILE", "HeroGRPOConfig", "HeroGRPOTrainer", "HeroMixin", "HeroRLOOConfig", "HeroRLOOTrainer"]

_SUMMED = "sum_then_normalize"  # TRL's default

_log = logging.getLogger(__name__)


@dataclass
class _HeroArguments:
    reference_column: str = field(
        default="answer", metadata={"help": "Column of the dataset that holds the reference answer."}
    )
    domain_column: str | None = field(
        default=None,
        metadata={"help": "Column that names each prompt's domain, for rules that trust a reward model by domain."},
    )
    judged_turns: str = field(
        default="last",
        metadata={
            "help": "Which assistant messages of a completion with tool calls the verifier judges: the text of the "
            "`last`, or those of `all`."
        },
    )
    max_unscorable: float = field(
        default=0.5,
        metadata={
            "help": "Stop training when a larger share than this of the last 256 rollouts, or of the last batch if it "
            "is larger, have no verdict, or no score where the rule needs one."
        },
    )
    stop_on_alarm: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Alarms that end training after their step: of hacking, ranking, range, unscorable, missing."
        },
    )
    rollouts_dir: str | None = field(
        default=None,
        metadata={"help": "Folder that keeps every generation batch with all its signals, a parquet file each."},
    )
    rollouts_kept: int | None = field(
        default=None,
        metadata={"help": "Steps whose batches rollouts_dir keeps, the newest; None keeps those of every step."},
    )

    def __post_init__(self) -> None:
        super().__post_init__()  # pyright: ignore[reportAttributeAccessIssue]
        if self.judged_turns not in get_args(Turns):
            raise ConfigError(f"judged_turns must be one of {', '.join(get_args(Turns))}, not {self.judged_turns!r}")
        if not 0 <= self.max_unscorable <= 1:
            raise ConfigError(f"max_unscorable must lie between 0 and 1, not {self.max_unscorable}")
        if self.rollouts_kept is not None and self.rollouts_kept < 1:
            raise ConfigError(f"rollouts_kept must be 1 or more, not {self.rollouts_kept}; no rollouts_dir keeps none")
        for name in ("reward_weights", "normalize_advantages", "reward_clip_range"):
            if getattr(self, name, None):
                raise ConfigError(f"{name} has no effect here: the rule combines and scales the signals")
        if getattr(self, "multi_objective_aggregation", _SUMMED) != _SUMMED:
            raise ConfigError("multi_objective_aggregation has no effect here: see the rule `gdpo`")
        if self.remove_unused_columns:  # pyright: ignore[reportAttributeAccessIssue]
            raise ConfigError(f"remove_unused_columns would drop the column {self.reference_column!r}")


@dataclass
class HeroGRPOConfig(_HeroArguments, GRPOConfig):
    """TRL's `GRPOConfig` with `reference_column` and the other arguments of HERO's own.

    `scale_rewards` has no effect: the rule's `scale` takes its place.
    """


@dataclass
class HeroRLOOConfig(_HeroArguments, RLOOConfig):
    """TRL's `RLOOConfig` with `reference_column` and the other arguments of HERO's own."""


class _Column:
    """Stands in TRL's list of reward functions, where its name becomes a metric and a column; never called."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, **_: Any) -> list[float | None]:
        raise AssertionError("HeroMixin scores in _calculate_rewards")


def _checked(verifier: Any) -> Any:
    """The verifier; refused where it is none, which no row would otherwise say before the run."""
    for one in verifier.values() if isinstance(verifier, Mapping) else [verifier]:
        if one is not None and (isinstance(one, type) or not isinstance(one, Verifier | BatchVerifier)):
            raise TypeError(
                f"verifier: {getattr(one, '__name__', repr(one))} is no object with verify(reference, completion); a "
                "reward function becomes a class with that method (docs/start/convert.md)"
            )
    return verifier


class HeroMixin(ExactResume):
    """Puts a combination rule in front of a TRL trainer that inherits from it.

    Args:
        model: as in the trainer.
        verifier: judges each completion against its reference; a mapping has one for each domain that
            `args.domain_column` names, None for one that has none. One that takes requests gets the row's other
            columns. `EnvironmentVerifier` judges by the reward of `environment_factory`'s environments.
        reward_model: scores each conversation; settings are loaded, a string is the path or Hub id of a one-label
            sequence classifier. Servers are asked for the scores of a few texts before anything heavy loads.
        rule: combines both; `GatedHero()` unless told otherwise.
        auditor: a second, better verifier, asked about the few rollouts that the rule `AuditedHero` draws in training.
        args: a `HeroGRPOConfig` or `HeroRLOOConfig`.
        train_dataset: needs the columns `prompt` and `args.reference_column`; a reference is text, a number, or a list
            of these, any one of which is right. Rows that no verifier applies to are left out and counted in the log,
            unless the rule ranks them (`without_reference`). What an environment brings itself need not be there.
        eval_dataset: the same, or a dict of such.
        **kwargs: everything else the trainer takes.

    Raises:
        ConfigError: the rule needs a reward model and none is given, or a server of it does not answer as one, or there
            is another source of rewards, or an environment's that the verifier does not read.
        DataError: a dataset lacks a column, or a row has no reference.
    """

    args: Any
    model: Any

    _config_class: type = GRPOConfig
    _leave_one_out = False
    _tag_names: ClassVar[list[str]] = ["trl", "hero-rl"]

    def __init__(
        self,
        model: Any,
        *,
        verifier: Verifier | BatchVerifier | Mapping[str, Verifier | BatchVerifier | None],
        reward_model: RewardModel | AnyRewardModel | str | None = None,
        rule: Rule | None = None,
        auditor: Verifier | BatchVerifier | None = None,
        args: Any,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        **kwargs: Any,
    ) -> None:
        self.rule: Rule = GatedHero() if rule is None else rule
        if isinstance(rule, type) or not hasattr(self.rule, "update"):
            raise TypeError(f"rule must be a rule such as GatedHero(), not {rule!r}")
        if not isinstance(args, self._config_class):
            raise TypeError(f"args must be a {self._config_class.__name__}, not {type(args).__name__}")
        if "reward_funcs" in kwargs:
            raise TypeError(f"{type(self).__name__} takes verifier and reward_model in place of reward_funcs")
        if reward_model is None and self.rule.needs_score:
            raise ConfigError(f"the rule {self.rule.type!r} needs a reward_model; without one it does nothing")
        verifier = by_domain(_checked(verifier))
        try:
            check_grades(self.rule, verifier)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        given = (train_dataset, eval_dataset, args.reference_column, args.domain_column, verifier)
        prompted = kwargs.get("environment_factory") is None
        checked = check_datasets(*given, rule=self.rule, prompted=prompted)
        warn_of_unreadable(checked.references, verifier)
        self.scorer = Scorer(verifier, None if reward_model is None else ready(reward_model), args.judged_turns)
        self.auditor = auditor_for(self.rule, auditor, args.judged_turns)
        self.rule_state = self.rule.init()
        self.watch = Watch(args.stop_on_alarm, scored=reward_model is not None)
        self._shaped: tuple[Signals, Shaped] | None = None
        self._rollout_files = RolloutFiles(args.rollouts_dir, args.rollouts_kept) if args.rollouts_dir else None
        self._rollouts: list[dict[str, Any]] = []
        self._window = UnscorableWindow(args.max_unscorable)
        self._template_opens_thought: bool | None = None
        super().__init__(
            model=model,
            reward_funcs=[_Column("verifier"), _Column("reward_model")],
            args=args,
            train_dataset=checked.train,
            eval_dataset=checked.evaluation,
            **kwargs,
        )
        check_environments(self.reward_func_names[2:], verifier)
        # The verifier reads what environments say.
        ours: tuple[Any, ...] = (self.reward_funcs, self.reward_func_names, self.reward_processing_classes)
        for several in ours:
            del several[2:]
        scale = getattr(args, "scale_rewards", "group")
        if scale not in ("group", getattr(self.rule, "scale", "group")):
            _log.warning("scale_rewards=%r has no effect: the rule's own scale takes its place", scale)
        self.reward_weights = torch.zeros(2)

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list, completions: list, completion_ids_list: list
    ) -> Float[Tensor, "B 2"]:
        """Score this rank's rollouts, gather the raw signals of all ranks and shape the whole batch.

        Returns:
            (B, 2) verdict and score of all ranks, NaN where missing: what TRL logs and writes as reward columns.
        """
        references = self._references(inputs)
        rows = (prompts, completions, references, self._in_thought(prompts), *self._rest(inputs))
        scored = self.scorer.score(*rows)
        device = self.accelerator.device
        local = torch.stack([scored.verdict, scored.score, scored.unverified.to(scored.score)], dim=1)
        columns = _gathered(local.to(device))
        group = self._group_ids(references)
        verdict, score, unverified = columns.cpu().unbind(dim=1)
        signals = Signals(verdict, score, group, self._domains(inputs), unverified=unverified == 1)
        if self.auditor is not None and self._mode == "train":
            signals = self._audited(self.auditor, signals, rows)
        shaped, state = self.rule.update(signals, self.rule_state)
        if self._leave_one_out:
            shaped = _with_leave_one_out(shaped, group)
        self._log_signals(signals, shaped, self._summed_counters(scored))
        self._log_state(state)
        self._log_rollouts(prompts, completions, references, scored, signals, shaped)
        if self.model.training:
            self._refuse_unscorable(signals, shaped, scored)
            self.rule_state = state
        self._shaped = signals, shaped
        return columns[:, :2].where(columns[:, :2].isfinite(), torch.nan)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        assert self._shaped is not None
        _, shaped = self._shaped
        local = self._local(shaped.advantage, len(inputs)).to(output["advantages"])
        unscorable = self._local(shaped.reward, len(inputs)).isnan().to(local.device)
        # RLOO's KL penalty leaves a part on every rollout; one that could not be scored must not move the policy.
        output["advantages"] = (output["advantages"] + local).masked_fill(unscorable, 0.0)
        self._correct_logs(shaped)
        self._write_rollouts(output["advantages"])
        return output

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    def _in_thought(self, prompts: list) -> list[bool]:
        """Of each completion, whether the chat template opened a thought at the end of its prompt, as some do."""
        if not any(isinstance(prompt, list) for prompt in prompts):
            return [False] * len(prompts)  # the prompt's own text shows it
        if self._template_opens_thought is None:
            processing: Any = self.processing_class
            kwargs: dict[str, Any] = self.args.chat_template_kwargs or {}
            tokenizer = getattr(processing, "tokenizer", processing)
            rendered = processing.apply_chat_template(
                [{"role": "user", "content": "?"}],
                tokenize=False,
                add_generation_prompt=True,
                **kwargs,
            )
            is_shown = "</think>" not in tokenizer.all_special_tokens  # which are not in the completion's text
            is_parsed = getattr(tokenizer, "response_template", None) is not None  # which takes the thought out
            self._template_opens_thought = is_shown and not is_parsed and leaves_in_thought(rendered)
        return [self._template_opens_thought and prompt[-1].get("role") != "assistant" for prompt in prompts]

    def _references(self, inputs: list[dict[str, Any]]) -> list[Any]:
        verifier, column, domain = self.scorer.verifier, self.args.reference_column, self.args.domain_column
        whole = self._takes_requests
        rows = [whole_row(row, column) for row in inputs] if whole else inputs
        needed = [needs_reference(verifier, "" if domain is None else str(row[domain])) for row in inputs]
        return [
            reference_of(row, column, f"a row ({short(row)})", whole, one)
            for row, one in zip(rows, needed, strict=True)
        ]

    @property
    def _takes_requests(self) -> bool:
        """Whether verifier or auditor reads whole rows; one that compares texts makes them of any reference."""
        asked = [self.scorer.verifier, *([self.auditor.verifier] if self.auditor is not None else [])]
        return any(map(takes_requests, asked))

    def _rest(self, inputs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]] | None, list[str] | None]:
        """What a verifier that takes requests reads of each row beside prompt and reference: columns, domain."""
        if not self._takes_requests:
            return None, None
        domain, but = self.args.domain_column, ("prompt", self.args.reference_column)
        columns = [json_columns(whole_row(row, but[1]), but) for row in inputs]
        for row, reward in self._environment_rewards().items():
            columns[row][REWARD] = reward
        return columns, None if domain is None else [str(row[domain]) for row in inputs]

    def _environment_rewards(self) -> dict[int, float | None]:
        """By row, what the environments say that have a reward."""
        environments = enumerate(getattr(self, "environments", None) or ())
        rewarding = {row: each for row, each in environments if hasattr(type(each), "get_reward")}
        rewards = environment_rewards(list(rewarding.values()), getattr(self, "async_loop", None))
        return dict(zip(rewarding, rewards, strict=True))

    def _domains(self, inputs: list[dict[str, Any]]) -> tuple[str, ...] | None:
        """The domain of each gathered rollout, where a column names one."""
        column = self.args.domain_column
        return None if column is None else tuple(gather_object([str(row[column]) for row in inputs]))

    def _audited(self, auditor: Auditor, signals: Signals, rows: tuple[Any, ...]) -> Signals:
        """The signals with the auditor's word on the rollouts that the rule draws; each rank asks about its own."""
        drawn = auditor.drawn(signals, self.rule_state)
        mine = self._local(drawn, len(rows[0]))
        chosen: list[int] = mine.nonzero().flatten().tolist()
        asked = [None if column is None else [column[row] for row in chosen] for column in rows]
        verdict = auditor.verdicts(mine, asked)
        audit = _gathered(verdict.to(self.accelerator.device)).cpu()
        for name, value in auditor.metrics(drawn, audit).items():
            self._metrics[self._mode][name].append(value)
        return replace(signals, audit=audit)

    def _group_ids(self, references: list[Any]) -> Tensor:
        """Group of each gathered rollout: TRL lays the rollouts of one prompt side by side, across ranks too."""
        size: Any = self.num_generations if self._mode == "train" else self.num_generations_eval
        marks = torch.tensor([crc32(repr(r).encode()) for r in references], device=self.accelerator.device)
        marks = _gathered(marks).cpu()
        if len(marks) % size:
            raise DataError(f"a batch of {len(marks)} rollouts does not divide into groups of {size}")
        marks = marks.view(-1, size)
        if (marks != marks[:, :1]).any():
            raise DataError(f"{size} neighbouring rollouts do not share one reference: groups would mix prompts")
        return torch.arange(marks.numel()) // size

    def _local(self, values: Tensor, count: int) -> Tensor:
        start = self.accelerator.process_index * count
        return values[start : start + count]

    def _summed_counters(self, scored: Scored) -> dict[str, float]:
        """The scorer's counters over all ranks: seconds as the slowest rank's, all else summed."""
        names = sorted(scored.counters)
        values = torch.tensor([[scored.counters[n] for n in names]], dtype=torch.float32)
        ranks = _gathered(values.to(self.accelerator.device)).cpu()
        summed, slowest = ranks.sum(dim=0).tolist(), ranks.max(dim=0).values.tolist()
        return {n: slowest[i] if n.endswith("seconds") else summed[i] for i, n in enumerate(names)}

    def _log_signals(self, signals: Signals, shaped: Shaped, counters: dict[str, float]) -> None:
        metrics = batch_metrics(signals, shaped) | counters
        if self._mode == "train":
            alarms, last = self.watch.batch(signals, metrics["hero/rm_auroc"])
            metrics |= alarms
            if last is not None:
                _log.warning("training stops after this step: the alarm %r is on (stop_on_alarm)", last)
                self.control.should_training_stop = True
        else:
            self.watch.evaluation(signals.verdict.nanmean().item())
        for name, value in metrics.items():
            self._metrics[self._mode][name].append(value)

    def _log_state(self, after: State) -> None:
        for name, value in state_metrics(self.rule_state, after).items():
            self._metrics[self._mode][name].append(value)

    def _log_rollouts(
        self,
        prompts: list,
        completions: list,
        references: list[Any],
        scored: Scored,
        signals: Signals,
        shaped: Shaped,
    ) -> None:
        """Hand this rank's part to TRL's completions table, and gather ours if it is kept."""
        count = len(references)
        columns = {
            "reference": [r if r is None or isinstance(r, str) else json.dumps(r) for r in references],
            "answer": scored.answers,
            "reason": [str(reason) for reason in scored.reasons],
            "group": self._local(signals.group, count).tolist(),
            "reward": self._local(shaped.reward, count).tolist(),
            "weight": self._local(shaped.weight, count).tolist(),
            "sigma": self._local(shaped.sigma, count).tolist(),
        }
        if signals.domain is not None:
            start = self.accelerator.process_index * count
            columns["domain"] = list(signals.domain[start : start + count])
        for name, values in columns.items():
            self._pending_extra_logs[name].extend(values)
        if self._rollout_files is not None:
            if signals.audit is not None:
                columns["audit"] = self._local(signals.audit, count).tolist()
            stored = {"prompt": prompts, "completion": list(map(_stored, completions))}
            columns |= stored | {"in_thought": self._in_thought(prompts)}
            columns |= {"verdict": scored.verdict.tolist(), "score": self._local(signals.score, count).tolist()}
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            self._rollouts = gather_object(rows)

    def _write_rollouts(self, advantages: Float[Tensor, " b"]) -> None:
        if self._rollout_files is None:
            return
        everyone = _gathered(advantages).tolist()
        if self.accelerator.is_main_process:
            rows = [row | {"advantage": a} for row, a in zip(self._rollouts, everyone, strict=True)]
            step = self.state.global_step + (1 if self._mode == "train" else 0)  # the step that this batch is for
            self._rollout_files.write(rows, self._mode, step)

    def _refuse_unscorable(self, signals: Signals, shaped: Shaped, scored: Scored) -> None:
        reasons = {str(r): count for r, count in Counter(scored.reasons).most_common(10)}
        about = f"verifier's reasons in this rank's last batch: {reasons}; counters: {scored.counters}"
        about += self.scorer.first_crash(scored.reasons)
        lost = lost_of(signals, shaped, needs_score=self.rule.needs_score)
        self._window.add(lost, len(shaped.reward), about)

    def _correct_logs(self, shaped: Shaped) -> None:
        """Replace what TRL logged: what it made of its zero-weighted columns, and messages that no table can hold."""
        metrics = self._metrics[self._mode]
        reward = shaped.reward[~shaped.reward.isnan()]
        metrics["reward"][-1] = reward.mean().item() if len(reward) else float("nan")
        metrics["reward_std"][-1] = reward.std().item() if len(reward) > 1 else 0.0
        metrics["frac_reward_zero_std"][-1] = self._share_of_silent_groups(shaped)
        logged = self._logs["advantages"]
        count = min(len(logged), len(shaped.advantage))
        base = [logged.pop() for _ in range(count)][::-1]
        added, lost = shaped.advantage[-count:].tolist(), shaped.reward[-count:].isnan().tolist()
        logged.extend(0.0 if n else b + a for b, a, n in zip(base, added, lost, strict=True))
        table = self._logs["completion"]  # which TRL writes as it is, and fails where two calls differ in their types
        table.extend([_stored(table.pop()) for _ in range(min(count, len(table)))][::-1])

    def _share_of_silent_groups(self, shaped: Shaped) -> float:
        assert self._shaped is not None
        groups = Groups.of(self._shaped[0].group)
        loud = groups.count(shaped.advantage != 0)
        return (loud == 0).double().mean().item()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # Before the trainer's own files: a checkpoint that is complete for TRL is then complete for HERO.
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            self.watch.settle()
            write_state(folder, self.rule, self.rule_state, self.watch.state, self.args.world_size)
        super()._save_checkpoint(model, trial)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.rule_state, self.watch.state = read_state(checkpoint, self.rule)


class HeroGRPOTrainer(HeroMixin, GRPOTrainer):
    """TRL's `GRPOTrainer` with a combination rule in place of reward functions; see `HeroMixin` for the arguments."""

    _config_class = HeroGRPOConfig


class HeroRLOOTrainer(HeroMixin, RLOOTrainer):
    """TRL's `RLOOTrainer` with a combination rule in place of reward functions; see `HeroMixin` for the arguments.

    The rule's mean-centred advantages are turned into leave-one-out ones; the KL penalty stays the trainer's.
    """

    _config_class = HeroRLOOConfig
    _leave_one_out = True


def _stored(completion: Any) -> Any:
    return completion if isinstance(completion, str) else list(map(stored_message, completion))


def _gathered(values: Tensor) -> Tensor:
    """Rows of all ranks, in the order of ranks; the same on each."""
    everyone: Any = gather(values)
    return everyone


def _with_leave_one_out(shaped: Shaped, group: Tensor) -> Shaped:
    advantage = leave_one_out(shaped.advantage, Groups.of(group), ~shaped.reward.isnan())
    return Shaped(shaped.reward, advantage.to(shaped.advantage.dtype), shaped.weight, shaped.sigma)
