"""One training of a reward model from its configuration: the code behind `hero train-rm`.

config = load_config("examples/reward_model.yaml", None, RewardTrainConfig)
result = train_reward_model(config)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import AutoConfig, AutoModelForSequenceClassification, set_seed
from trl import RewardConfig

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.whole import write_json
from hero_rl.foreign import loading, refuse_no_folder
from hero_rl.reward_models.rendering import Renderer, own_limit
from hero_rl.trainers.checkpoints import newest_whole
from hero_rl.training.configs.reward import RewardTrainConfig
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.records import MetricsFile, is_finished, run_folder, write_records
from hero_rl.training.rows.pairs import PreferencePair, fingerprint, in_words, load_pairs, split_by_prompt
from hero_rl.training.trl.bradley_terry import ACCURACY, PairTrainer, tokenised
from hero_rl.training.trl.loading import checked_arguments, load_tokenizer, named
from hero_rl.training.trl.progress import ProgressLine

__all__ = ["RewardResult", "RewardRun", "check_reward_run", "reward_arguments", "train_reward_model"]

_SHOWN = {"loss": "loss", "accuracy": "accuracy", "margin": "margin"}


@dataclass(frozen=True)
class RewardRun:
    """A run whose settings and data are known to be good, before any model is loaded.

    Attributes:
        config: its configuration.
        arguments: TRL's.
        train: pairs to train on.
        held_out: pairs to evaluate on.
        counts: rows, what was left out of them, and pairs.
    """

    config: RewardTrainConfig
    arguments: RewardConfig
    train: Sequence[PreferencePair]
    held_out: Sequence[PreferencePair]
    counts: dict[str, int]


@dataclass(frozen=True)
class RewardResult:
    """What a finished run leaves.

    Attributes:
        model: folder of the reward model.
        counts: rows, what was left out of them, pairs, and conversations that were cut.
        eval_pairwise_accuracy: share of the held-out pairs whose chosen side scores higher; None without any.
    """

    model: Path
    counts: dict[str, int]
    eval_pairwise_accuracy: float | None


def check_reward_run(config: RewardTrainConfig) -> RewardRun:
    """Check all that can be checked without a model, and make the pairs.

    Raises:
        ConfigError: a setting is wrong.
        DataError: a file, column or row is missing or bad, or there are no pairs.
    """
    data = config.data
    refuse_no_folder("model.path", config.model.path)
    with quiet_libraries():
        arguments = reward_arguments(config)
    pairs, counts = load_pairs(data, config.seed)
    train, held_out = split_by_prompt(pairs, data.eval_fraction, config.seed)
    return RewardRun(config, arguments, train, held_out, counts | {"train": len(train), "held_out": len(held_out)})


def reward_arguments(config: RewardTrainConfig) -> RewardConfig:
    """The configuration's TRL arguments, checked by TRL.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    evaluation = {"eval_strategy": "epoch"} if config.data.eval_fraction else {}
    # What is too long was cut and counted before TRL sees it; left to itself, it would leave such pairs out.
    return checked_arguments(
        RewardConfig, evaluation | config.trl, output_dir=config.output_dir, seed=config.seed, max_length=None
    )


def train_reward_model(
    config: RewardTrainConfig,
    *,
    resume: bool = False,
    progress: bool = True,
) -> RewardResult:
    """Train a reward model and keep the whole record of it.

    Args:
        config: what to do.
        resume: continue the run in `config.output_dir` from its newest complete checkpoint.
        progress: say on stderr what is left out and cut, and show a progress line.

    Raises:
        HeroError: settings, data or checkpoint are wrong.
    """
    with quiet_libraries():
        run = check_reward_run(config)
        with run_folder(config, resume, main=run.arguments.process_index == 0):
            return _train(run, resume, progress)


def _train(run: RewardRun, resume: bool, progress: bool) -> RewardResult:
    config, folder = run.config, Path(run.config.output_dir)
    main = run.arguments.process_index == 0
    say = (lambda text: print(text, file=sys.stderr)) if progress and main else (lambda text: None)
    if main:
        _refuse_other_data(run, folder)
    checkpoint = newest_whole(folder) if resume else None
    if checkpoint and is_finished(checkpoint, run.arguments.max_steps) and (folder / "result.json").is_file():
        kept = json.loads((folder / "result.json").read_text())
        return RewardResult(folder / "model", kept["counts"], kept["eval_pairwise_accuracy"])
    line = ProgressLine(shown=_SHOWN) if progress else None
    shown = [] if line is None else [line]
    trainer, run = _trainer(run, [MetricsFile(folder / "metrics.jsonl"), *shown], say)
    if main:  # only now: a model that cannot be loaded leaves no run behind
        write_records(config)
        record = run.counts | {"fingerprint": _fingerprint(run)}
        write_json(folder / "pairs.json", record)
    PartialState().wait_for_everyone()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        if line is not None:
            line.close()
    accuracy = _final_accuracy(trainer) if run.held_out else None
    trainer.save_model(str(folder / "model"))
    result = RewardResult(folder / "model", run.counts, accuracy)
    if main:
        write_json(folder / "result.json", asdict(result) | {"model": str(result.model)})
    return result


def _refuse_other_data(run: RewardRun, folder: Path) -> None:
    """Raise a `ConfigError` where the run that is resumed began with other pairs."""
    record = folder / "pairs.json"
    if record.is_file() and json.loads(record.read_text())["fingerprint"] != _fingerprint(run):
        source = run.config.data.pairs or run.config.data.rollouts
        raise ConfigError(f"{record}: cannot resume: the pairs of {source} are others than when the run began")


def _fingerprint(run: RewardRun) -> str:
    return fingerprint([*run.train, *run.held_out])


def _final_accuracy(trainer: PairTrainer) -> float:
    """The held-out accuracy of the trained model, evaluated if the last step was not."""
    for row in reversed(trainer.state.log_history):
        if ACCURACY in row and row["step"] == trainer.state.global_step:
            return row[ACCURACY]
    return trainer.evaluate()[ACCURACY]


def _trainer(run: RewardRun, callbacks: list[Any], say: Callable[[str], None]) -> tuple[PairTrainer, RewardRun]:
    """The trainer, and the run with the counts of its tokens."""
    tokenizer = load_tokenizer(run.config.model)
    with named("model.path"):
        model = _one_label_model(run.config, say)
    if tokenizer.pad_token is None and tokenizer.eos_token is None:
        raise ConfigError(f"model.path: {run.config.model.path}: the tokenizer has no padding or end-of-sequence token")
    limits = [limit for limit in (run.config.data.max_tokens, own_limit(model.config, tokenizer)) if limit]
    renderer = Renderer(tokenizer, min(limits, default=None))
    train, counts = tokenised(run.train, renderer)
    held_out, more = tokenised(run.held_out, renderer)
    run = replace(run, counts=run.counts | {name: counts[name] + more[name] for name in counts})
    say(in_words(run.counts))
    if run.counts["truncated"]:
        say(
            f"{run.counts['truncated']} conversations are longer than {renderer.max_tokens} tokens: their middle is cut"
        )
    for name, dataset in (("train on", train), *([("evaluate on", held_out)] if run.held_out else [])):
        if not len(dataset):
            raise DataError(f"no pairs to {name} are left once they are tokens; {in_words(run.counts)}")
    trainer = PairTrainer(
        model, tokenizer, run.arguments, train, held_out if run.held_out else None, callbacks=callbacks
    )
    return trainer, run


def _source(config: RewardTrainConfig) -> dict[str, Any]:
    return {"revision": config.model.revision, "trust_remote_code": config.model.trust_remote_code}


def _one_label_model(config: RewardTrainConfig, say: Callable[[str], None]) -> Any:
    """The model with one label: a language model's weights under a new head, or a reward model as it is.

    Raises:
        ConfigError: the checkpoint has another number of labels, or lacks more than a head.
    """
    from transformers.utils import logging

    path = config.model.path
    with loading("model.path"):
        shape = AutoConfig.from_pretrained(path, **_source(config))
    classifies = any("Classification" in name for name in shape.architectures or [])
    if classifies and shape.num_labels != 1:
        raise ConfigError(f"model.path: {path} has {shape.num_labels} labels; a reward model here has exactly one")
    attention = {"attn_implementation": config.model.attn_implementation} if config.model.attn_implementation else {}
    set_seed(config.seed)  # a new head is drawn while the model loads
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # the table of missing weights says nothing that the lines below do not
    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            path, num_labels=1, dtype=config.model.dtype, output_loading_info=True, **attention, **_source(config)
        )
    except RuntimeError as error:  # weights of another shape
        raise ConfigError(f"model.path: {path} does not fit a model with one label: {error}") from error
    finally:
        logging.set_verbosity(level)
    missing = sorted(found["missing_keys"])
    body = [name for name in missing if name.startswith(f"{model.base_model_prefix}.")]
    if body:
        raise ConfigError(f"model.path: the checkpoint {path} lacks {', '.join(body[:5])}")
    if missing and classifies:
        raise ConfigError(f"model.path: {path} is no trained reward model: the checkpoint lacks {', '.join(missing)}")
    if missing:
        say(f"{path} is a language model: its reward head ({', '.join(missing)}) is new and starts untrained")
    return model
