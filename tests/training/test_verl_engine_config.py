"""`engine: verl` without verl: what is refused, the command's words, data, record and launch."""

import json
import sys

import pyarrow.parquet
import pytest
import yaml

from hero_lab.cli import main
from hero_rl.errors import ConfigError, DataError, HeroError
from hero_rl.settings import nested
from hero_rl.training.recipes.load import load_run
from hero_rl.training.verl.command import verl_words
from hero_rl.training.verl.launch import Command, launch, metrics_file, whole_files
from hero_rl.training.verl.policy import _write_data, check_verl_run, train_command
from hero_rl.training.verl.sft import sft_command, sft_words

RUN = {
    "engine": "verl",
    "output_dir": "run",
    "model": {"path": "some/model"},
    "data": {"train": "problems.jsonl"},
    "verifier": {"type": "math"},
    "rule": {"type": "verifier_only"},
    "verl": {"actor_rollout_ref.rollout.n": 4, "trainer": {"nnodes": 2}},
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"{n} + {n} =", "answer": 2 * n} for n in range(3)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def _write(**changes):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (RUN | changes).items() if v is not None}))
        return str(path)

    return _write


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"trl.learning_rate": 1e-6}, "trl: unknown setting"),
        ({"peft.r": 8}, "peft: unknown setting"),
        ({"algorithm": "rloo"}, "algorithm: unknown setting"),
        ({"engine": "vrel"}, "engine: 'vrel' is none of trl, verl; did you mean 'verl'"),
        ({"engine": "trl"}, "verl: unknown setting"),
        ({"model.revision": "main"}, "model.revision: verl loads no revisions"),
        ({"model.dtype": "auto"}, "model.dtype: verl wants to be told"),
        ({"data.chat": False}, "data.chat: verl always applies a chat template"),
        ({"data": None}, r"data: missing \(or verl.data.train_files and verl.data.val_files\)"),
        ({"data.eval": "test.jsonl"}, "data.eval is never used unless verl.trainer.test_freq"),
        ({"verl.trainer.test_freq": 5}, "test_freq and val_before_train need data.eval"),
        ({"verl.data.train_files": "x.parquet"}, "verl.data.train_files is set by data"),
        ({"verl.actor_rollout_ref.model.path": "x"}, "verl.actor_rollout_ref.model.path is set by model.path"),
        ({"verl.hero.rule.alpha": 0.1}, "verl.hero.rule.alpha is set by rule"),
        ({"verl.+hero.rule.alpha": 0.1}, r"verl.\+hero.rule.alpha is set by rule"),
        ({"verl.hero.+rule.alpha": 0.1}, r"verl.\+hero.rule.alpha is set by rule"),
        ({"verl.trainer": {"+x": 1}, "verl.+trainer.x": 2}, r"\+trainer.x is given twice"),
        ({"verl.algorithm.adv_estimator": "grpo"}, "verl.algorithm.adv_estimator is set by engine"),
        ({"verl.trainer.resume_mode": "auto"}, "verl.trainer.resume_mode is set by --resume"),
    ],
)
def test_what_does_not_apply_is_refused_by_name(write, overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_run(write(), overrides, "train")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"verl.actor_rollout_ref.rollout.n": 1}, "verl.actor_rollout_ref.rollout.n: 1 rollout a prompt"),
        ({"rule.type": "hero"}, "reward_model: the rule 'hero' needs a reward model"),
        ({"verl.algorithm.filter_groups.enable": True}, "verl.algorithm.filter_groups.enable"),
        ({"model.path": "./nowhere"}, "model.path: ./nowhere: no such folder"),
    ],
)
def test_what_makes_hero_inert_is_refused_without_verl(write, overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_verl_run(load_run(write(), overrides, "train"), compose=False)


def test_bad_data_is_named_with_its_row(write, tmp_path):
    (tmp_path / "problems.jsonl").write_text('{"prompt": "1 + 1 =", "answer": "2"}\n{"prompt": "", "answer": "2"}\n')
    with pytest.raises(DataError, match=r"problems.jsonl:2: 'prompt' must be text"):
        check_verl_run(load_run(write(), {}, "train"), compose=False)


def test_the_blocks_become_verl_s_settings(write):
    overrides = {"model.trust_remote_code": True, "model.dtype": "bfloat16", "seed": 7, "rule.scale": "group"}
    overrides |= {"model.attn_implementation": "eager", "verl.+ray_kwargs.ray_init.address": "auto"}
    overrides |= {"verl.+hero.stop_on_alarm": ["hacking"]}
    words = verl_words(load_run(write(), overrides, "train"), resume=True)
    assert {
        "trainer.v1.trainer_mode=hero_sync",
        "algorithm.adv_estimator=hero",
        "algorithm.norm_adv_by_std_in_grpo=true",
        "actor_rollout_ref.model.path=some/model",
        "actor_rollout_ref.model.trust_remote_code=true",
        "data.trust_remote_code=true",
        "+actor_rollout_ref.model.override_config.attn_implementation=eager",
        "actor_rollout_ref.actor.fsdp_config.model_dtype=bf16",
        "data.train_files=run/data/train.parquet",
        "data.val_files=run/data/train.parquet",
        "data.seed=7",
        "trainer.resume_mode=auto",
        "trainer.nnodes=2",
        "actor_rollout_ref.rollout.n=4",
        "+ray_kwargs.ray_init.address=auto",
        "+hero.verifier.type=math",
        "+hero.rule.type=verifier_only",
        "+hero.rule.scale=group",
        "+hero.max_unscorable=0.5",
        "+hero.stop_on_alarm=[hacking]",
    } <= set(words)
    assert len({word.partition("=")[0].lstrip("+") for word in words}) == len(words), "a setting is said twice"


def test_a_mark_on_an_inner_key_stands_before_the_whole_name(write):
    rollout = {"n": 4, "+enable_sleep_mode": False, "engine_kwargs": {"vllm": {"++seed": 1}}}
    overrides = {"verl.actor_rollout_ref.rollout": rollout, "verl.trainer.~balance_batch": None}
    words = verl_words(load_run(write(), overrides, "train"))
    assert {
        "actor_rollout_ref.rollout.n=4",
        "+actor_rollout_ref.rollout.enable_sleep_mode=false",
        "++actor_rollout_ref.rollout.engine_kwargs.vllm.seed=1",
        "~trainer.balance_batch=null",
    } <= set(words)


def test_nested_verifiers_keep_their_types(write):
    judge = {"type": "judge", "url": "http://localhost:8000", "model": "m"}
    verifier = {"type": "cascade", "rule": {"type": "math"}, "judge": judge}
    words = verl_words(load_run(write(verifier=verifier), {}, "train"))
    assert {"+hero.verifier.type=cascade", "+hero.verifier.rule.type=math", "+hero.verifier.judge.type=judge"} <= set(
        words
    )


def test_dotted_and_nested_names_are_one():
    assert nested({"a.b": 1, "a": {"c.d": 2}}) == {"a": {"b": 1, "c": {"d": 2}}}
    for twice in ({"a.b": 1, "a": {"b": 2}}, {"a": 1, "a.b": 2}):
        with pytest.raises(ConfigError, match=r"a(\.b)? is given twice"):
            nested(twice)


def test_data_is_written_in_verl_s_layout_and_once(write, tmp_path):
    run = check_verl_run(load_run(write(), {"data.system_prompt": "Add."}, "train"), compose=False)
    (tmp_path / "run" / "data").mkdir(parents=True)
    _write_data(run)
    file = tmp_path / "run" / "data" / "train.parquet"
    rows = pyarrow.parquet.read_table(file).to_pylist()
    assert rows[2] == {
        "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2 ="}],
        "data_source": "problems",
        "reward_model": {"style": "rule", "ground_truth": "4"},
        "extra_info": {"index": 2, "split": "train"},
    }
    file.write_bytes(b"kept")
    _write_data(run)
    assert file.read_bytes() == b"kept"


def test_files_come_whole_or_not_at_all(tmp_path):
    paths = [str(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(ZeroDivisionError), whole_files(paths) as files:
        files[0].write(b"half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_command_is_launched_and_recorded(write, tmp_path):
    config = check_verl_run(load_run(write(), {}, "train"), compose=False).config
    command = Command([sys.executable, "-c", "import os; open(os.environ['WHERE'], 'w')"], {"WHERE": "started here"})
    launch(config, command, lambda: None, quiet=True)
    assert (tmp_path / "started here").exists()
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["verl"]["trainer"] == {"nnodes": 2}
    assert (tmp_path / "run" / "command.txt").read_text().startswith("WHERE='started here' ")
    with pytest.raises(HeroError, match="verl ended with code 3"):
        launch(config, Command([sys.executable, "-c", "exit(3)"], {}), lambda: None, quiet=True)


def test_metrics_of_an_earlier_start_are_kept(write, tmp_path):
    (tmp_path / "run").mkdir()
    assert metrics_file("run") == "run/metrics.jsonl"
    for name in ("metrics.jsonl", "metrics_2.jsonl"):
        (tmp_path / "run" / name).touch()
    command = train_command(load_run(write(), {}, "train"), resume=True)
    assert "+ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH=run/metrics_3.jsonl" in command.words
    assert "trainer.resume_mode=auto" in command.words


@pytest.mark.skipif("verl" in sys.modules, reason="verl is installed")
def test_without_verl_the_error_says_how_to_get_it(write, tmp_path, capsys):
    from importlib.util import find_spec

    if find_spec("verl") and find_spec("verl.trainer"):
        pytest.skip("verl is installed")
    for more in (["--check"], []):
        assert main(["train", write(), *more]) == 1
        assert "pip install 'hero-rl[verl]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_command_of_a_cold_start(write, tmp_path):
    path = write(data={"train": "problems.jsonl", "completion_column": "answer"}, verifier=None, rule=None)
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text()) | {"verl": {"trainer.n_gpus_per_node": 2}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    config = load_run(path, {}, "sft")
    assert {"model.path=some/model", "trainer.seed=0", "engine.model_dtype=fp32"} <= set(sft_words(config))
    words = sft_command(config).words
    assert words[words.index("--nproc-per-node") + 1] == "2" and "verl.trainer.sft_trainer" in words
    for overrides, message in (
        ({"verl.trainer.nnodes": 2}, "one node alone"),
        ({"verl.data.train_files": "x"}, "verl.data.train_files is set by data.train"),
        ({"data.chat": False}, "data.chat: verl always applies a chat template"),
        ({"data.eval": "x"}, "data.eval is never used unless verl.trainer.test_freq"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_run(path, overrides, "sft")
