"""Recipes: the paper's numbers, composed from their parts, and the commands that they are."""

import re
import runpy
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from hero_rl.errors import ConfigError
from hero_rl.evaluation import EvalConfig
from hero_rl.rules import GatedHero, Hero, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.settings import lay_over, resolve
from hero_rl.trainers.trl import HeroGRPOConfig
from hero_rl.training import VerlTrainConfig
from hero_rl.training.recipes import compose, names
from hero_rl.training.recipes.command import recipe_command
from hero_rl.training.recipes.estimate import _POLICIES, _Policy, estimate
from hero_rl.training.recipes.load import load_run
from hero_rl.training.trl.policy import trl_arguments
from hero_rl.training.verl.command import objections

ROOT = Path(__file__).parents[2]
MODELS, REGIMES = ("qwen3-4b", "octothinker-8b"), ("easy", "hard", "mixed")
RULES = {
    "hero": Hero,
    "verifier-only": VerifierOnly,
    "rm-only": RewardModelOnly,
    "weighted-sum": WeightedSum,
}
GIVEN = {"model.path": "some/model", "data.train": "problems.jsonl", "output_dir": "runs/x"}


def given(name):
    return {key: value for key, value in GIVEN.items() if key in compose(name).needs}


def load(name, **changes):
    return load_run(name, given(name) | changes, compose(name).verb)


def test_there_is_a_recipe_for_every_run_of_the_paper():
    runs = {f"{e}/{m}/{r}/{rule}" for e in ("trl", "verl") for m in MODELS for r in REGIMES for rule in RULES}
    assert {name for name in names() if not name.startswith("one-gpu/")} == runs | {
        f"{e}/{m}/sft" for e in ("trl", "verl") for m in MODELS
    }


@pytest.mark.parametrize("name", [n for n in names() if not n.endswith("/sft") and not n.startswith("one-gpu/")])
def test_every_run_has_its_rule_and_is_what_hero_accepts(name):
    engine, _, regime, rule = name.split("/")
    config = load(name)
    assert type(config.rule) is RULES[rule]
    if rule == "hero":
        band = 0.05 if regime == "easy" else 0.1
        assert config.rule == Hero(alpha=band, beta=band, w_min=0.4, w_max=3.0, k=6.0)
    assert config.verifier.type == "math_verify"
    if engine == "verl":
        assert not objections(config)
        assert config.reward_model is None
    else:
        assert (config.reward_model is None) == (rule == "verifier-only")


@pytest.mark.parametrize(
    ("model", "n", "response", "kl"), [("qwen3-4b", 8, 8192, 0.0), ("octothinker-8b", 16, 4096, 0.001)]
)
def test_trl_recipes_have_the_paper_s_numbers(model, n, response, kl):
    recipe = compose(f"trl/{model}/hard/hero")
    trl = recipe.settings["trl"]
    assert (trl["num_generations"], trl["max_completion_length"], trl["beta"]) == (n, response, kl)
    assert (trl["epsilon"], trl["epsilon_high"], trl["learning_rate"], trl["num_train_epochs"]) == (0.2, 0.28, 1e-6, 20)
    step = trl["per_device_train_batch_size"] * trl["gradient_accumulation_steps"] * recipe.processes
    assert (step, trl["generation_batch_size"]) == (128 * n, 512 * n)
    assert trl["vllm_max_model_length"] == 1024 + response and trl["use_vllm"]


@pytest.mark.parametrize("engine", ["trl", "verl"])
@pytest.mark.parametrize("model", MODELS)
def test_cold_starts(engine, model):
    config = load(f"{engine}/{model}/sft")
    assert config.model.path.lower().endswith("-base") and config.data.completion_column == "completion"
    epochs = config.trl["num_train_epochs"] if engine == "trl" else config.verl["trainer"]["total_epochs"]
    assert epochs == 2


def test_what_a_user_must_give_is_named():
    with pytest.raises(ConfigError) as error:
        load_run("verl/qwen3-4b/hard/hero", {"model.path": "x"}, "train")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["output_dir", "data.train"]
    assert "missing; give --data.train: 2,000 hard-to-verify problems" in lines[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("verl/qwen3-4b/hard/heroo", "no recipe 'verl/qwen3-4b/hard/heroo'; did you mean 'verl/qwen3-4b/hard/hero'"),
        ("x", "no recipe 'x'; `hero recipe list` shows them all"),
        ("one_gpu/qwen3-0.6b/gsm8k/gated_hiro", "did you mean 'one-gpu/qwen3-0.6b/gsm8k/gated-hero'"),
    ],
)
def test_an_unknown_name_has_a_hint(name, message):
    with pytest.raises(ConfigError, match=message):
        compose(name)


def test_a_name_may_be_spelled_as_rules_are(tmp_path, monkeypatch):
    name = "one-gpu/qwen3-0.6b/gsm8k/gated-hero"
    assert compose(name.replace("-", "_").replace("qwen3_", "qwen3-")) == compose(name)
    monkeypatch.chdir(tmp_path)
    spelled = "one-gpu/qwen3-0.6b/gsm8k/gated_hero"
    Path(spelled).mkdir(parents=True)  # a folder is no configuration
    assert load_run(spelled, {"output_dir": "runs"}, "train") == load_run(name, {"output_dir": "runs"}, "train")


def test_what_is_neither_a_file_nor_a_recipe(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.yml: no such file, and no recipe of that name; `hero recipe list`"):
        load_run("config.yml", {}, "train")
    with pytest.raises(ConfigError, match=r"hero/heroo: no such file, and no recipe.*; did you mean 'verl/"):
        load_run("verl/qwen3-4b/hero/heroo", {}, "train")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_run(str(tmp_path), {}, "train")
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ConfigError, match=rf"{tmp_path} is a folder; did you mean {tmp_path}/config\.yaml\?"):
        load_run(str(tmp_path), {}, "train")


def test_a_recipe_of_the_other_verb_is_refused():
    with pytest.raises(ConfigError, match="is a recipe for `hero sft`, not for `hero train`"):
        load_run("trl/qwen3-4b/sft", GIVEN, "train")


def test_overrides_reach_nested_and_dotted_settings_alike():
    config = load("verl/qwen3-4b/hard/hero", **{"verl.actor_rollout_ref.rollout.n": 4, "rule.alpha": 0.2})
    assert config.verl["actor_rollout_ref"]["rollout"]["n"] == 4 and config.rule.alpha == 0.2


@pytest.mark.parametrize("name", ["verl/octothinker-8b/hard/hero", "verl/octothinker-8b/sft", "trl/qwen3-4b/easy/hero"])
def test_a_shown_command_runs_in_a_shell_once_its_variables_are_set(name, tmp_path):
    """The shell's own words, by printing them in the place of the program."""
    command = recipe_command(compose(name), {}, [], None)
    script = (
        str(command).replace("python -m", "printf '%s\\n' python -m").replace("torchrun", "printf '%s\\n' torchrun")
    )
    unset = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert unset.returncode != 0 and any(variable in unset.stderr for variable in command.variables)
    values = {variable: f"/data/my {variable.lower()}" for variable in command.variables}
    said = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"} | values
    ).stdout.splitlines()
    wanted = list(command.words)
    for setting in command.missing:
        wanted = [w.replace(f"<{setting}>", values[setting.replace(".", "_").upper()]) for w in wanted]
    assert said == "\n".join(wanted).splitlines()


def test_the_command_of_trl_takes_the_gpus_there_are():
    recipe = compose("trl/qwen3-4b/easy/hero")
    words = recipe_command(recipe, GIVEN, [f"--{k}={v}" for k, v in GIVEN.items()], None).words
    assert words[:6] == ["torchrun", "--standalone", "--nproc-per-node", "8", "-m", "hero_rl"]
    assert recipe_command(recipe, GIVEN, [], 1).words[:2] == ["hero", "train"]
    with pytest.raises(ConfigError, match="--gpus is for TRL"):
        recipe_command(compose("verl/qwen3-4b/easy/hero"), {}, [], 4)


def test_a_saved_recipe_is_a_configuration(tmp_path):
    for name in ("verl/octothinker-8b/mixed/hero", "trl/octothinker-8b/sft"):
        recipe = compose(name)
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(recipe.settings))
        assert load_run(str(path), given(name), recipe.verb) == load(name)


def test_the_command_is_one_that_shlex_reads_back():
    command = recipe_command(compose("verl/qwen3-4b/easy/hero"), GIVEN, [], None)
    words = shlex.split(str(command).replace("\\\n", ""))
    assert words == command.words


def test_the_page_names_recipes_that_there_are():
    page = (ROOT / "docs" / "guides" / "recipes.md").read_text()
    said = set(re.findall(r"(?:show|run) ((?:one-gpu|trl|verl)/\S+)", page))
    assert len(said) >= 7 and said <= set(names())
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.S)[0])
    assert not objections(resolve(example, {}, "the page", VerlTrainConfig))


ONE_GPU = [name for name in names() if name.startswith("one-gpu/")]


def test_one_gpu_has_every_model_data_and_rule():
    models = {"smollm2-360m", "smollm2-1.7b", "smollm2-1.7b-lora", "qwen3-0.6b", "qwen3-1.7b", "qwen3-1.7b-lora"}
    wanted = {f"one-gpu/{m}/{d}/{r}" for m in models for d in ("gsm8k", "math") for r in [*RULES, "gated-hero"]}
    assert set(ONE_GPU) == wanted


@pytest.mark.parametrize("name", ONE_GPU)
def test_recipes_for_one_gpu_are_what_hero_and_trl_accept(name):
    # Here is no GPU to run in bfloat16 on; all else TRL checks as it would there.
    config = load(name, **{"trl.bf16": False, "trl.use_cpu": True})
    _, model, _, rule = name.split("/")
    assert type(config.rule) is (RULES | {"gated-hero": GatedHero})[rule]
    assert config.rule == type(config.rule)(), "rules are compared as they are: one divisor, none, for all"
    assert (config.reward_model is None) == (rule == "verifier-only")
    assert (config.peft is not None) == model.endswith("-lora")
    arguments = trl_arguments(config)
    assert arguments.generation_batch_size == 64 == arguments.num_generations * 8
    assert arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps == 64
    assert arguments.use_vllm and arguments.vllm_mode == "colocate"
    assert arguments.max_completion_length < arguments.vllm_max_model_length
    assert arguments.chat_template_kwargs == ({"enable_thinking": False} if model.startswith("qwen3") else None)
    assert "hero train one-gpu/" in str(recipe_command(compose(name), {}, [], None))


def test_the_line_for_eight_gpus():
    command = str(recipe_command(compose("one-gpu/qwen3-0.6b/gsm8k/hero"), {}, [], 8))
    assert command.startswith("torchrun --standalone --nproc-per-node 8 -m hero_rl train one-gpu/qwen3-0.6b/gsm8k/hero")


@pytest.mark.parametrize("name", [name for name in ONE_GPU if name.endswith("/gated-hero")])
def test_on_eight_gpus_a_step_is_generated_at_once(name, monkeypatch):
    monkeypatch.setattr(HeroGRPOConfig, "world_size", property(lambda self: 8))
    arguments = trl_arguments(load(name, **{"trl.bf16": False, "trl.use_cpu": True}))
    assert arguments.generation_batch_size == 512
    assert arguments.steps_per_generation == arguments.gradient_accumulation_steps


def test_estimates_are_those_of_the_page():
    page = (ROOT / "docs" / "guides" / "recipes.md").read_text()
    assert runpy.run_path(str(ROOT / "docs" / "make_estimates.py"))["table"]() in page, "run: docs/make_estimates.py"
    sums = [estimate(compose("one-gpu/qwen3-0.6b/gsm8k/gated-hero"), gpus=gpus) for gpus in (8, 1)]
    more = [taken.memory["weights and AdamW"] for taken in sums if taken]
    assert f"{more[0] - more[1]:.1f} GiB for `qwen3-0.6b`" in page


def test_an_estimate_by_hand():
    taken = estimate(compose("one-gpu/qwen3-1.7b-lora/math/gated-hero"))
    assert taken and taken.card == 24
    frozen, adapter, judge = 1_720_574_976, 34_865_152, 596_050_944
    memory = [2 * frozen + 18 * adapter, 0.35 * 24 * 2**30, 2 * judge, 4 * 1024 * 151_936 * 8]
    memory += [4 * 2048 * 2048 * (28 * 4 + 81)]
    assert list(taken.memory.values()) == pytest.approx([part / 2**30 for part in memory])
    step = [64 * 512 / 3000, 2 * judge * 64 * (150 + 512) / 55e12, 8 * frozen * 64 * (300 + 1024) / 55e12]
    assert list(taken.step.values()) == pytest.approx(step)
    assert taken.minutes == pytest.approx(sum(step) * 5)


@pytest.mark.parametrize("gpus", [1, 8])
@pytest.mark.parametrize("name", ONE_GPU)
def test_every_recipe_fits_its_card_by_the_estimate(name, gpus):
    taken = estimate(compose(name), gpus=gpus)
    assert taken and sum(taken.memory.values()) < taken.card - 1  # which CUDA takes for itself
    assert (taken.memory["reward model"] > 0) == (taken.step["reward model"] > 0) == ("verifier" not in name)


@pytest.mark.parametrize(
    "change",
    [
        {"model.path": "another/model"},
        {"reward_model.path": "another/model"},
        {"trl.use_vllm": False},
        {"trl.max_steps": -1},
        {"trl.max_steps": None},
        {"trl.vllm_max_model_length": None},
    ],
)
def test_what_is_not_known_has_no_estimate(change):
    recipe = compose("one-gpu/qwen3-0.6b/gsm8k/gated-hero")
    assert estimate(recipe, lay_over(recipe.settings, change)) is None
    assert estimate(compose("trl/qwen3-4b/easy/hero")) is None


QWEN3 = {"head_dim": 128, "num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 151_936}
LLAMA = {"num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 49_152}
SHAPES = {
    "qwen3-0.6b": Qwen3Config(hidden_size=1024, num_hidden_layers=28, intermediate_size=3072, **QWEN3),
    "qwen3-1.7b": Qwen3Config(hidden_size=2048, num_hidden_layers=28, intermediate_size=6144, **QWEN3),
    "smollm2-1.7b": LlamaConfig(hidden_size=2048, num_hidden_layers=24, intermediate_size=8192, **LLAMA),
    "smollm2-360m": LlamaConfig(
        hidden_size=960,
        num_hidden_layers=32,
        intermediate_size=2560,
        **LLAMA | {"num_attention_heads": 15, "num_key_value_heads": 5},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_policies_of_the_estimate_are_as_large_as_their_models(name):
    config = SHAPES[name]
    config.tie_word_embeddings = True
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    linear = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    known = _POLICIES[compose(f"one-gpu/{name}/gsm8k/hero").settings["model"]["path"]]
    assert known == _Policy(
        parameters=sum(weight.numel() for weight in model.parameters()),
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        vocabulary=config.vocab_size,
        adapter=sum(one.in_features + one.out_features for one in linear),
    )


def test_the_page_evaluates_as_its_recipes_train():
    page = (ROOT / "docs" / "guides" / "recipes.md").read_text()
    (said,) = re.findall(r"```yaml title=\"evaluation.yaml\"\n(.*?)```", page, re.S)
    evaluated = resolve(yaml.safe_load(said), {}, "the page", EvalConfig)
    (trained,) = set(re.findall(r"run (one-gpu/\S+/gated-hero)", page))
    config = load(trained)
    assert evaluated.system_prompt == config.data.system_prompt
    assert evaluated.sampling.max_tokens == config.trl["max_completion_length"]
    assert evaluated.generator.path == config.model.path
    assert evaluated.generator.chat_template_kwargs == config.trl["chat_template_kwargs"]
    (problems,) = evaluated.benchmarks.values()
    assert (problems.dataset, problems.name) == (config.data.train, config.data.name)
    assert problems.split != config.data.train_split
    math = resolve({"benchmarks": {"math500": {}}}, {}, "the page", EvalConfig)
    assert (
        math.benchmarks["math500"].preset
        and load(trained.replace("gsm8k", "math")).trl["max_completion_length"] == 1024
    )


def test_the_verifier_reads_the_references_of_both_sets():
    verifier = load("one-gpu/qwen3-0.6b/gsm8k/hero").verifier
    gsm8k = "Half is 48/2 = <<48/2=24>>24.\nBoth are 48+24 = <<48+24=72>>72.\n#### 72"
    math = r"There are $4$ of $12$, so the share is $\boxed{\frac{1}{3}}$."
    assert [verifier.verify(gsm8k, rf"So \boxed{{{x}}}.").value for x in (72, 24)] == [1.0, 0.0]
    assert [verifier.verify(math, rf"So \boxed{{{x}}}.").value for x in ("4/12", "12")] == [1.0, 0.0]
