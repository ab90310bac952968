"""verl's own configuration with HERO's settings: composed by hydra, passed by verl, refused where HERO is inert."""

import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("verl.trainer")

from omegaconf import OmegaConf, open_dict
from verl.utils.config import validate_config
from verl_parts import composed, overrides

from hero_rl.errors import ConfigError
from hero_rl.preflight import verl_objections
from hero_rl.reward_models import RemoteRewardModelConfig, check_servers
from hero_rl.rules import GatedHero, Gdpo, Hero, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.trainers.verl.checks import check_settings
from hero_rl.trainers.verl.settings import plain, read_settings

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "verl.md"
REMOTE = {
    "+hero.reward_model.type": "remote",
    "+hero.reward_model.urls": "[http://localhost:8000]",
    "+hero.reward_model.tokenizer": "x",
}


@pytest.fixture
def config(tiny, problems, tmp_path):
    return lambda **changes: composed(overrides(tiny[0], problems, tmp_path, **changes))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("hero", Hero()),
        ("verifier_only", VerifierOnly()),
        ("reward_model_only", RewardModelOnly()),
        ("weighted_sum", WeightedSum()),
        ("gdpo", Gdpo()),
    ],
)
def test_every_rule_is_one_override_away(config, name, rule):
    composed_config = config(**{"+hero.rule.type": name}, **REMOTE)
    validate_config(composed_config, use_reference_policy=False, use_critic=False)
    settings = read_settings(composed_config)
    assert settings.rule == rule
    assert isinstance(settings.reward_model, RemoteRewardModelConfig)
    check_settings(composed_config, settings)


def said_on_the_page():
    """The overrides of the page's command, and those that it says to give instead of `reward.reward_model.*`."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.S)
    lines = [[word.strip("'") for word in re.findall(r"\S+=\S+", block.replace("\\", ""))] for block in blocks]
    return [[line.replace("='", "=") for line in block] for block in lines if block]


@pytest.mark.parametrize("own", [False, True])
def test_the_page_s_command_is_what_verl_and_hero_take(own):
    command, instead = said_on_the_page()
    if own:
        command = [line for line in command if not line.startswith("reward.reward_model.")] + instead
    one = composed(command)
    validate_config(one, use_reference_policy=False, use_critic=False)
    settings = read_settings(one)
    check_settings(one, settings)
    assert settings.rule == Hero(alpha=0.05, beta=0.05)
    assert (settings.reward_model is not None) == own


@pytest.mark.parametrize("mode", ["sync", "colocate_async", "separate_async"])
def test_each_of_verl_s_trainers_has_one_of_hero_s(config, mode):
    from verl.trainer.ppo.v1 import get_trainer_cls

    import hero_rl.trainers.verl.plugin  # noqa: F401

    assert issubclass(get_trainer_cls(f"hero_{mode}"), get_trainer_cls(mode))
    one = config(**{"trainer.v1.trainer_mode": f"hero_{mode}"})
    check_settings(one, read_settings(one))
    plain_one = config(**{"trainer.v1.trainer_mode": mode})
    with pytest.raises(ConfigError, match=f"trainer.v1.trainer_mode: {mode} hands .* set it to hero_{mode}$"):
        check_settings(plain_one, read_settings(plain_one))


@pytest.mark.parametrize("old", [False, True])
def test_a_trl_that_verl_s_actor_cannot_be_beside(config, tmp_path, monkeypatch, old):
    (tmp_path / "trl" / "experimental" / ("ppo" if old else "kto")).mkdir(parents=True)
    (tmp_path / "trl" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    one = config()
    if old:
        check_settings(one, read_settings(one))
        return
    with pytest.raises(ConfigError, match=r"do not fit:\nTRL is installed beside verl.*without TRL, or with TRL 1.12"):
        check_settings(one, read_settings(one))


def test_a_block_without_a_type_is_of_the_usual_one(config):
    settings = read_settings(config(**{"+hero.rule.type": None, "+hero.rule.alpha": 0.05}))
    assert settings.rule == GatedHero(alpha=0.05)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"+hero.rule.alhpa": 0.1, "+hero.rule.type": "hero"},
            r"hero: rule\.alhpa: unknown setting; did you mean 'alpha'",
        ),
        ({"+hero.max_unscorable": 2}, r"hero: max_unscorable: .*less than or equal to 1"),
        ({"+hero.verifier.type": None}, r"hero: verifier: missing"),
    ],
)
def test_a_wrong_setting_is_named(config, changes, said):
    with pytest.raises(ConfigError, match=said):
        read_settings(config(**changes))


def test_without_the_block_the_error_says_what_to_give(config):
    bare = config(**{"+hero.verifier.type": None, "+hero.rule.type": None})
    with pytest.raises(ConfigError, match=r"no block `hero`: give at least \+hero.verifier.type"):
        read_settings(bare)


POOL = {
    "reward.reward_model.enable": True,
    "reward.reward_model.rollout.name": "vllm",
    "reward.reward_model.enable_resource_pool": True,
    "reward.reward_model.rollout.free_cache_engine": False,
    "+hero.rule.type": "hero",
}
REFUSED = [
    ({"actor_rollout_ref.rollout.n": 1}, "actor_rollout_ref.rollout.n"),
    ({"algorithm.filter_groups.enable": True}, "algorithm.filter_groups.enable"),
    ({"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": True}, "algorithm.adv_estimator"),
    ({"trainer.use_v1": False}, "trainer.use_v1"),
    ({"trainer.v1.trainer_mode": "colocate_async"}, "trainer.v1.trainer_mode"),
    ({"reward.reward_manager.source": "register", "reward.reward_manager.name": "naive"}, "reward.reward_manager"),
    ({"+hero.rule.type": "hero"}, "hero.reward_model"),
    (POOL | REMOTE, "hero.reward_model"),
    (POOL | {"reward.reward_model.enable_resource_pool": False}, "reward.reward_model.enable_resource_pool"),
    (
        POOL | {"reward.reward_model.rollout.free_cache_engine": True},
        "reward.reward_model.rollout.free_cache_engine",
    ),
    (POOL | {"reward.custom_reward_function.path": "null"}, "reward.custom_reward_function.path"),
]


@pytest.mark.parametrize(("changes", "setting"), REFUSED)
def test_what_makes_hero_inert_is_refused_by_name(config, changes, setting):
    one = config(**changes)
    settings = read_settings(one)
    found = verl_objections(plain(one), rule=settings.rule, own_reward_model=settings.reward_model is not None)
    assert [objection.setting for objection in found if objection.level == "error"] == [setting]
    with pytest.raises(ConfigError, match=rf"do not fit:\n{re.escape(setting)}: "):
        check_settings(one, settings)


def test_a_pool_of_its_own_for_the_reward_model_is_fine(config):
    one = config(**POOL)
    check_settings(one, read_settings(one))


def test_where_the_weight_would_cancel_the_objection_says_so(config):
    one = config(**{"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": True})
    (objection,) = verl_objections(plain(one), rule=VerifierOnly(), own_reward_model=False)
    assert "would cancel" in str(objection)
    one.algorithm.norm_adv_by_std_in_grpo = False
    (objection,) = verl_objections(plain(one), rule=VerifierOnly(), own_reward_model=False)
    assert "would cancel" not in str(objection)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"+hero.rule.scale": "group"}, "algorithm.norm_adv_by_std_in_grpo"),
        ({"critic.enable": True}, "critic.enable"),
        ({"+hero.reward_model.type": "local", "+hero.reward_model.path": "x"}, "hero.reward_model.type"),
    ],
)
def test_what_has_no_effect_or_a_price_is_a_warning(config, changes, setting, caplog):
    one = config(**changes)
    check_settings(one, read_settings(one))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [setting]


def test_verl_s_defaults_are_what_the_objections_take_them_for():
    """A setting that is not named counts as verl's default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = composed([])
    OmegaConf.set_struct(whole, False)
    with open_dict(whole):
        whole.reward.reward_model.rollout.name = "vllm"
        del whole.data, whole.critic
    named = {f.setting for f in verl_objections(plain(whole), rule=Hero(), own_reward_model=False)}
    assert named == {f.setting for f in verl_objections({}, rule=Hero(), own_reward_model=False)}


def test_a_server_that_squeezes_its_scores_is_refused_before_the_run(tiny):
    from reward_server import RewardServer

    with RewardServer(model=lambda tokens: (sum(tokens) % 97) / 97) as server:
        model = RemoteRewardModelConfig(urls=[server.url], tokenizer=str(tiny[1]), retries=0)
        with pytest.raises(ConfigError, match=r"all lie between 0 and 1 .*use_activation"):
            check_servers(model)
    with RewardServer() as server:
        check_servers(RemoteRewardModelConfig(urls=[server.url], tokenizer=str(tiny[1])))
        assert all(body["use_activation"] is False for _, _, body in server.posts)
