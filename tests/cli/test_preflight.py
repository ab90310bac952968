"""`hero preflight` on the three kinds of settings, with the real TRL."""

import json
import re

import pytest
import yaml

from hero_lab.cli import main

HERO = {
    "output_dir": "out",
    "model": {"path": "policy"},
    "data": {"train": "problems.jsonl", "prompt_column": "problem"},
    "verifier": {"type": "math"},
    "reward_model": {"path": "reward_model"},
    "rule": {"alpha": 0.05},
    "trl": {"num_generations": 4, "per_device_train_batch_size": 8, "use_cpu": True, "bf16": False},
}


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "problems.jsonl").write_text('{"problem": "1 + 1", "answer": "2"}\n')

    def run(settings, *more):
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
        code = main(["preflight", "c.yaml", "--json", *more])
        found = json.loads(capsys.readouterr().out)
        return code, found["kind"], [(f["level"], f["setting"], f["text"]) for f in found["objections"]]

    return run


def test_a_sound_configuration_has_no_objections(ask):
    assert ask(HERO) == (0, "hero", [])


def test_a_rule_that_divides_is_named(ask):
    code, _, found = ask(HERO, "--rule.type", "hero", "--rule.scale", "group")
    assert code == 1 and [setting for _, setting, _ in found] == ["rule.scale", "rule.scale"]
    assert "alpha and beta are inert" in found[0][2] and "as large as mixed ones" in found[1][2]


def test_what_has_no_effect_is_a_warning(ask):
    code, _, found = ask(HERO, "--trl.scale_rewards", "none")
    assert (code, [row[:2] for row in found]) == (0, [("warning", "trl.scale_rewards")])


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (("--rule.alpha", "0.95"), "alpha + beta must be below 1"),
        (("--trl.num_generations", "1"), "num_generations"),
        (("--rule.alfa", "1"), "did you mean 'alpha'"),
    ],
)
def test_what_cannot_run_is_an_error(ask, override, text):
    code, _, found = ask(HERO, *override)
    assert code == 1 and any(text in row[2] for row in found)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "errors"), [("group", 3), ("none", 0), ("batch", 0)])
def test_arguments_of_trl(ask, scale, errors):
    code, kind, found = ask({"scale_rewards": scale, "num_generations": 4})
    assert (code, kind, len(found)) == (int(errors > 0), "trl", errors)
    assert all(setting == "scale_rewards" for _, setting, _ in found)


def test_settings_of_verl(ask):
    settings = {"algorithm.adv_estimator": "grpo", "actor_rollout_ref": {"rollout": {"n": 8}}}
    code, kind, found = ask(settings)
    assert (code, kind) == (1, "verl")
    named = {setting for _, setting, _ in found}
    assert {"algorithm.adv_estimator", "trainer.v1.trainer_mode", "algorithm.norm_adv_by_std_in_grpo"} <= named


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"rule": {"alpha": 0.05}}, "verifier: missing"),
        ({"verifier": {"type": "math"}, "rul": {}}, "did you mean 'rule'"),
        ({"verifier": {"type": "math"}, "rule": {"alpha": 0.95}}, "alpha + beta must be below 1"),
    ],
)
def test_a_broken_block_of_ours_is_an_error(ask, block, text):
    code, kind, found = ask({"algorithm": {"adv_estimator": "hero"}, "hero": block})
    assert (code, kind) == (1, "verl") and any(setting == "hero" and text in said for _, setting, said in found)


def test_what_hydra_has_still_to_fill_in_is_left_to_it(ask):
    _, kind, found = ask({"actor_rollout_ref": {"rollout": {"n": "${oc.env:N}"}}})
    assert kind == "verl" and not any(setting == "actor_rollout_ref.rollout.n" for _, setting, _ in found)


def test_a_file_that_is_none(tmp_path, capsys):
    assert main(["preflight", str(tmp_path / "no.yaml")]) == 2
    assert "no.yaml" in capsys.readouterr().err


def test_a_configuration_for_verl_is_known_as_one_of_hero_train(tmp_path, capsys):
    import yaml

    from hero_rl.training.recipes import compose

    for name, alike in (("verl/qwen3-4b/hard/hero", {}), ("trl/qwen3-4b/hard/hero", {"use_cpu": True, "bf16": False})):
        settings = compose(name).settings | {"output_dir": str(tmp_path / "run"), "model": {"path": "some/model"}}
        settings["data"] |= {"train": "examples/problems.jsonl", "prompt_column": "problem"}
        settings.get("trl", {}).update(alike)
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings))
        assert main(["preflight", str(path)]) == 0
        assert "(settings of hero train): " in capsys.readouterr().out
        path.write_text(yaml.safe_dump(settings | {"rule": {"type": "hero", "alpha": 0.9, "beta": 0.9}}))
        assert main(["preflight", str(path)]) == 1
        assert "alpha + beta must be below 1" in capsys.readouterr().out


@pytest.mark.parametrize(("bad", "level", "code"), [(0, None, 0), (1, "warning", 0), (9, "error", 1)])
def test_references_that_cannot_be_read(ask, tmp_path, bad, level, code):
    rows = [{"problem": "1 + 1", "answer": str(number)} for number in range(4)]
    rows += [{"problem": "why?", "answer": f"it {'very ' * number}much depends; see (b"} for number in range(bad)]
    (tmp_path / "problems.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said, _, found = ask(HERO)
    assert said == code and [row[:2] for row in found] == ([(level, "data.reference_column")] if level else [])
    assert not bad or "it much depends" in found[0][2]


def test_data_that_cannot_be_read_is_an_error(ask, tmp_path):
    (tmp_path / "problems.jsonl").write_text('{"problem": "1 + 1", "solution": "2"}\n')
    code, _, found = ask(HERO)
    assert code == 1 and found[0][:2] == ("error", "settings") and "answer" in found[0][2]


SCRIPT = """
import sys
from trl import GRPOConfig

assert len(sys.argv) == 1
common = dict(output_dir="out", use_cpu=True, bf16=False, num_generations=4, per_device_train_batch_size=4)
args = GRPOConfig(**common)
sound = GRPOConfig(**common, scale_rewards="none")
settings = {"scale_rewards": "group", "num_generations": 4}


class Run:
    args = sound


number = 1
if __name__ == "__main__":
    raise AssertionError
"""


@pytest.fixture
def script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"script_{tmp_path.name}.py").write_text(SCRIPT)

    def run(name, *more):
        code = main(["preflight", f"script_{tmp_path.name}:{name}", *more])
        return code, *capsys.readouterr()

    return run


def test_the_arguments_of_a_script(script, tmp_path):
    code, said, _ = script("args")
    assert code == 1 and 'set it to "none"' in said and "(settings of TRL): 3 errors" in said
    assert script("args", "--scale_rewards", "none")[0] == 0
    assert [script(name)[0] for name in ("sound", "Run.args", "settings")] == [0, 0, 1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "text"), [("arg", "has no arg"), ("number", "a GRPOConfig is expected, .* not int")])
def test_an_object_of_a_script_that_is_none(script, name, text):
    code, _, said = script(name)
    assert code == 2 and re.search(text, said) and said.count("\n") == 1


def test_a_script_that_cannot_be_imported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asks_for_arguments.py").write_text("import sys\n\nsys.exit('which model?')\n")
    for name, text in (("asks_for_arguments", "SystemExit: which model?"), ("no.such.module", "ModuleNotFoundError")):
        assert main(["preflight", f"{name}:args"]) == 2
        said = capsys.readouterr().err
        assert text in said and said.count("\n") == 1


def test_the_arguments_of_our_own_trainer(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = SCRIPT.replace("from trl import GRPOConfig", "from hero_rl.trainers.trl import HeroGRPOConfig as GRPOConfig")
    (tmp_path / "our_own_script.py").write_text(text)
    assert main(["preflight", "our_own_script:args"]) == 2
    assert "takes the advantages of its rule" in capsys.readouterr().err
