"""Every verl recipe, and the blocks of `hero train`, as hydra composes them and verl and HERO check them."""

import re
import sys

import pytest

pytest.importorskip("verl.trainer")

from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config

from hero_lab.cli import main
from hero_rl.errors import ConfigError
from hero_rl.trainers.verl.checks import check_settings
from hero_rl.trainers.verl.composed import check_composed, composed
from hero_rl.trainers.verl.settings import read_settings
from hero_rl.training.recipes import compose, names
from hero_rl.training.recipes.load import load_run
from hero_rl.training.verl.command import verl_words
from hero_rl.training.verl.hydra_words import hydra_word
from hero_rl.training.verl.launch import Command, launch
from hero_rl.training.verl.policy import _write_data, check_verl_run
from hero_rl.training.verl.sft import sft_words

GIVEN = {"model.path": "some/model", "data.train": "problems.jsonl", "output_dir": "runs/a=b, c"}
RUNS = [name for name in names() if name.startswith("verl/") and not name.endswith("/sft")]
COLD_STARTS = [name for name in names() if name.startswith("verl/") and name.endswith("/sft")]


@pytest.mark.parametrize("name", RUNS)
def test_every_recipe_passes_verl_and_hero(name):
    config = load_run(name, GIVEN, "train")
    whole = composed(verl_words(config))
    validate_config(whole, use_reference_policy=need_reference_policy(whole), use_critic=need_critic(whole))
    hero = read_settings(whole)
    check_settings(whole, hero)
    assert (hero.rule, hero.verifier) == (config.rule, config.verifier)
    assert need_reference_policy(whole) == ("octothinker" in name)
    assert whole.reward.reward_model.enable == (not name.endswith("verifier-only"))
    actor, rollout = whole.actor_rollout_ref.actor, whole.actor_rollout_ref.rollout
    qwen = "qwen3-4b" in name
    assert (whole.data.train_batch_size, actor.ppo_mini_batch_size, rollout.n) == (512, 128, 8 if qwen else 16)
    assert (whole.data.max_prompt_length, whole.data.max_response_length) == (1024, 8192 if qwen else 4096)
    assert (actor.clip_ratio_low, actor.clip_ratio_high, actor.optim.lr) == (0.2, 0.28, 1e-6)
    assert (actor.entropy_coeff, actor.use_dynamic_bsz, rollout.temperature) == (0, True, 1.0)
    assert (actor.use_kl_loss, actor.kl_loss_coef) == (not qwen, 0.001)
    assert (whole.trainer.total_epochs, whole.trainer.nnodes, whole.trainer.n_gpus_per_node) == (20, 8, 4)
    assert whole.trainer.default_local_dir == "runs/a=b, c/checkpoints"


@pytest.mark.parametrize("name", COLD_STARTS)
def test_every_cold_start_is_composed(name):
    config = load_run(name, {"data.train": "samples.jsonl", "output_dir": "runs/sft"}, "sft")
    whole = composed(sft_words(config), "sft_trainer_engine")
    assert whole.trainer.total_epochs == 2 and whole.data.train_files == "runs/sft/data/train.parquet"
    assert whole.model.custom_chat_template == compose(name).settings["model"].get("chat_template")
    assert whole.data.max_token_len_per_gpu >= whole.data.max_length


# Any text, and what hydra could take for something else.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.sampled_from(
    [
        "",
        "1",
        "1e-6",
        "true",
        "null",
        "a,b",
        "a=b",
        "a b",
        "[a]",
        "{a}",
        "it's",
        "a\\",
        "a\\'",
        "\\\\'b",
        "${x}",
        "\\${x}",
        "'",
    ]
)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_hydra_reads_a_value_as_it_was_written(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"+x={hydra_word(value)}"])
    config = OmegaConf.create({"x": override.value()})
    assert OmegaConf.to_container(config, resolve=True)["x"] == value


@pytest.fixture
def config(tiny, tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(f'{{"prompt": "{n} + {n} =", "answer": "{2 * n}"}}\n' for n in range(8)))
    path = tmp_path / "config.yaml"
    path.write_text(f"""
engine: verl
output_dir: {tmp_path}/run
model: {{path: {tiny[0]}}}
data: {{train: {problems}}}
verifier: {{type: exact, marker: "it's ="}}
rule: {{type: verifier_only}}
max_unscorable: 0.25
verl:
  actor_rollout_ref.rollout: {{name: vllm, n: 4, log_prob_micro_batch_size_per_gpu: 2}}
  actor_rollout_ref.actor: {{ppo_mini_batch_size: 2, ppo_micro_batch_size_per_gpu: 2}}
  data.train_batch_size: 2
  trainer.n_gpus_per_node: 1
""")
    return path


def test_the_blocks_reach_hero_inside_verl(config):
    run = load_run(str(config), {"verifier_processes.seconds": 2.5}, "train")
    hero = read_settings(composed(verl_words(run)))
    assert hero.verifier == run.verifier and hero.verifier.marker == "it's ="  # pyright: ignore
    assert hero.verifier_processes == run.verifier_processes and hero.rule == run.rule
    assert hero.max_unscorable == 0.25


def test_text_of_the_block_verl_may_name_other_settings(config):
    run = load_run(str(config), {"verl.trainer.project_name": "seed ${data.seed}", "seed": 5}, "train")
    assert composed(verl_words(run)).trainer.project_name == "seed 5"


def test_check_composes_without_a_gpu(config, tmp_path, capsys):
    assert main(["train", str(config), "--check"]) == 0
    said = capsys.readouterr()
    assert "good for verl and HERO; 8 training prompts" in said.err and said.out == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verl.trainer.nodes", "2"], "verl: .*trainer.nodes"),
        (["--verl.actor_rollout_ref.actor.ppo_mini_batch_size", "3"], "verl: .*ppo_mini_batch_size|train_batch_size"),
        (["--verl.actor_rollout_ref.actor.kl_loss_type", "[1, 2]", "--verl.data.train_batch_size", "x"], "verl: "),
    ],
)
def test_what_verl_refuses_is_told_before_anything_is_written(config, arguments, message, tmp_path, capsys):
    assert main(["train", str(config), *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_composition_that_hero_refuses():
    with pytest.raises(ConfigError):
        check_composed(["+hero.verifier.type=exact"])


def test_verl_reads_the_data_that_a_run_writes(config, tiny, tmp_path):
    from transformers import AutoTokenizer
    from verl.utils.dataset.rl_dataset import RLHFDataset

    run = check_verl_run(load_run(str(config), {"data.system_prompt": "Add."}, "train"), compose=False)
    launch(run.config, Command([sys.executable, "-c", ""], {}), lambda: _write_data(run), quiet=True)
    run = tmp_path / "run"
    whole = composed(verl_words(load_run(str(config), {}, "train")))
    tokenizer = AutoTokenizer.from_pretrained(tiny[0])
    dataset = RLHFDataset(str(run / "data" / "train.parquet"), tokenizer, whole.data)
    row = dataset[3]
    assert [m["content"] for m in row["raw_prompt"]] == ["Add.", "3 + 3 ="]
    assert row["reward_model"]["ground_truth"] == "6" and row["data_source"] == "problems"
