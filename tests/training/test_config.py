import pytest
import yaml

from hero_rl.errors import ConfigError
from hero_rl.rules import GatedHero, Gdpo, Hero, VerifierOnly
from hero_rl.settings import parse_overrides
from hero_rl.training import TrainConfig, load_config

GOOD = {
    "output_dir": "out",
    "model": {"path": "some/model"},
    "data": {"train": "train.jsonl"},
    "verifier": {"type": "math_verify"},
    "reward_model": {"path": "some/reward-model"},
    "rule": {"alpha": 0.05},
}


@pytest.fixture
def write(tmp_path):
    def _write(changes=None, drop=()):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (GOOD | (changes or {})).items() if k not in drop}))
        return path

    return _write


def test_blocks_without_a_type_get_the_usual_one(write):
    config = load_config(write())
    assert config.rule == GatedHero(alpha=0.05)
    assert config.reward_model is not None and config.reward_model.path == "some/reward-model"


def test_overrides_by_dotted_name(write):
    arguments = ["--rule.alpha", "0.2", "--trl.learning_rate=1.0e-6", "--data.limit", "5", "--rule.scale=group"]
    config = load_config(write(), parse_overrides(arguments))
    assert config.rule == GatedHero(alpha=0.2, scale="group")
    assert config.trl == {"learning_rate": 1e-6} and config.data.limit == 5


def test_numbers_with_an_exponent_need_no_point(write):
    assert load_config(write(), parse_overrides(["--trl.learning_rate", "1e-6"])).trl["learning_rate"] == 1e-6
    path = write()
    path.write_text(path.read_text() + "trl: {learning_rate: 5e-7, max_grad_norm: 1E3, run_name: 3e, logging_dir: e5}")
    assert load_config(path).trl == {"learning_rate": 5e-7, "max_grad_norm": 1e3, "run_name": "3e", "logging_dir": "e5"}


def test_overrides_of_a_block_that_the_file_does_not_have(write):
    assert load_config(write(drop=["rule"]), {"rule.alpha": 0.2}).rule == GatedHero(alpha=0.2)
    config = load_config(write(drop=["reward_model"]), {"reward_model.path": "x"})
    assert config.reward_model is not None and config.reward_model.path == "x"


def test_another_type_drops_the_old_type_s_settings(write):
    assert load_config(write(), {"rule.type": "gdpo"}).rule == Gdpo()
    assert load_config(write(), {"rule.type": "verifier_only", "reward_model": None}).rule == VerifierOnly()
    assert load_config(write(), {"rule.type": "gated_hero", "rule.beta": 0.2}).rule == GatedHero(alpha=0.05, beta=0.2)


def test_a_resolved_configuration_reads_back(write, tmp_path):
    config = load_config(write({"trl": {"max_steps": 3}}))
    path = tmp_path / "resolved.yaml"
    path.write_text(yaml.safe_dump(config.model_dump()))
    assert load_config(path) == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"rule.aplha": 0.1}, r"config.yaml: rule.aplha: unknown setting; did you mean 'alpha'\?"),
        ({"modle.path": "x"}, r"config.yaml: modle: unknown setting; did you mean 'model'\?"),
        ({"data.zzz": 1}, "config.yaml: data.zzz: unknown setting; known here: chat, domain_column, eval"),
        ({"rule.alpha": 0.5, "rule.beta": 0.6}, "config.yaml: rule: alpha \\+ beta must be below 1"),
        ({"rule.type": "hreo"}, r"config.yaml: rule.type: 'hreo' is none of hero, .*; did you mean 'hero'\?"),
        ({"verifier": {"type": "mathh"}}, r"config.yaml: verifier.type: 'mathh' is none of math, math_verify, exact"),
        ({"reward_model.type": "lokal"}, r"reward_model.type: 'lokal' is none of local, .*; did you mean 'local'\?"),
        (
            {"verifier": {"type": "code", "sandbox": {"type": "docker"}}},
            r"config.yaml: verifier.sandbox.type: 'docker' is none of local, sandbox_fusion$",
        ),
        ({"verifier": {"type": "code", "sandbox": {"url": "x"}}}, "config.yaml: verifier.sandbox.type: missing"),
        ({"verifier": None}, "config.yaml: verifier: "),
        ({"model.path": None}, "config.yaml: model.path: "),
        ({"reward_model": None}, "rule 'gated_hero' needs a reward_model"),
        ({"trl.num_generations": 1}, "trl.num_generations is 1: a group of one rollout has no advantage"),
        ({"trl.seed": 3}, "trl.seed is set by seed"),
        ({"data.eval": "test.jsonl"}, "data.eval is never used unless trl.eval_strategy says when"),
        ({"data.system_prompt": "hi", "data.chat": False}, "config.yaml: data: system_prompt needs chat"),
        ({"rule.alpha.x": 1}, "'alpha' is a value, not a block of settings"),
        ({"max_unscorable": 2}, "config.yaml: max_unscorable: "),
    ],
)
def test_mistakes_are_named_with_their_place(write, overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(), overrides)


def test_a_missing_setting_is_named(write):
    with pytest.raises(ConfigError, match=r"config.yaml: data: missing"):
        load_config(write(drop=["data"]))


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.yaml: No such file"):
        load_config(tmp_path / "nowhere.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1")
    with pytest.raises(ConfigError, match=rf'(?s)bad.yaml: not valid YAML: .*in "{bad}", line 1, column 4'):
        load_config(bad)
    bad.write_text("- 1\n- 2")
    with pytest.raises(ConfigError, match="a mapping of settings is expected, not list"):
        load_config(bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rule.alpha", "1"], "unexpected argument 'rule.alpha'"),
        (["--rule.alpha"], "--rule.alpha has no value"),
        (
            ["--trl.gradient_checkpointing", "--seed=7"],
            "--trl.gradient_checkpointing has no value; a switch is turned on",
        ),
        (["--rule.alpha", "["], r"--rule.alpha: '\[' is not a value"),
    ],
)
def test_overrides_that_cannot_be_read(arguments, message):
    with pytest.raises(ConfigError, match=message):
        parse_overrides(arguments)


@pytest.mark.parametrize(
    "given", [["--rule.beta", "0.2", "--rule", "{alpha: 0.3}"], ["--rule", "{alpha: 0.3}", "--rule.beta=0.2"]]
)
def test_a_block_given_whole_leaves_what_is_given_of_it(write, given):
    rule = load_config(write({"rule": {"type": "hero", "k": 1.0}}), parse_overrides(given)).rule
    assert rule == GatedHero(alpha=0.3, beta=0.2), "the file's own rule is replaced, the other argument is not"
    typed = load_config(write(), parse_overrides(["--rule", "{alpha: 0.3}", "--rule.type", "gated_hero"])).rule
    assert (typed.type, typed.alpha) == ("gated_hero", 0.3)


def test_every_setting_has_a_line_of_documentation():
    """The docstrings are the reference that docs/reference/configuration.md is made of."""
    for model in (TrainConfig, *(type(v) for v in (Hero(), VerifierOnly(), Gdpo()))):
        for name in set(model.model_fields) - {"type"}:
            said = "".join(kind.__doc__ or "" for kind in model.__mro__)
            assert f"        {name}: " in said, f"{model.__name__}.{name}"


def test_a_rule_that_audits_and_an_auditor_need_each_other():
    from hero_rl.training.configs.policy import TrainConfig

    block = {
        "output_dir": "out",
        "model": {"path": "policy"},
        "data": {"train": "rows.jsonl"},
        "verifier": {"type": "math"},
        "reward_model": {"type": "local", "path": "model"},
    }
    auditor = {"type": "exact"}
    assert TrainConfig(**block, rule={"type": "audited_hero", "audits": 4}, auditor=auditor).rule.type == "audited_hero"
    for wrong in ({"rule": {"type": "audited_hero"}}, {"auditor": auditor}):
        with pytest.raises(ValueError, match=r"needs an auditor|an auditor has no effect"):
            TrainConfig(**(block | wrong))
