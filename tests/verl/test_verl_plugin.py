"""verl finds HERO by its entry point, in the driver and in Ray's workers, and where it does not, somebody says so."""

import subprocess
import sys

import pytest

pytest.importorskip("verl.trainer")

import ray
from verl.trainer.ppo.core_algos import get_adv_estimator_fn
from verl.trainer.ppo.v1 import get_trainer_cls

from hero_rl.errors import ConfigError
from hero_rl.trainers.verl import checks


def seen_from_a_worker():
    import verl  # noqa: F401
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn
    from verl.trainer.ppo.v1 import get_trainer_cls

    return get_trainer_cls("hero_sync").__module__, get_adv_estimator_fn("hero").__module__


HOMES = ("hero_rl.trainers.verl.trainer", "hero_rl.trainers.verl.estimator")


def test_the_driver_has_trainer_and_estimator_from_the_entry_point_alone():
    assert (get_trainer_cls("hero_sync").__module__, get_adv_estimator_fn("hero").__module__) == HOMES
    code = "import verl, sys; sys.exit('hero_rl.trainers.verl.trainer' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_ray_worker_has_them_too(cluster):
    assert ray.get(ray.remote(seen_from_a_worker).remote()) == HOMES
    checks.check_nodes()


def test_a_worker_that_leaves_plugins_out_is_named(cluster, monkeypatch):
    without = {"env_vars": {"VERL_USE_EXTERNAL_PLUGINS": "none"}}

    def asked(_):
        return ray.remote(checks.plugin_problem).options(runtime_env=without).remote()

    monkeypatch.setattr(checks, "_asked", asked)
    with pytest.raises(
        ConfigError, match=r"(?s)not active in Ray's workers:\nnode [\d.]+: verl did not load the plugin"
    ):
        checks.check_nodes()


def test_a_worker_that_cannot_import_hero_is_named(cluster, monkeypatch, tmp_path):
    """As on a node with another environment: the package is there and broken."""
    broken = tmp_path / "hero_rl"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('no such thing here')")
    elsewhere = {"env_vars": {"PYTHONPATH": str(tmp_path)}}

    def asked(_):
        return ray.remote(checks.plugin_problem).options(runtime_env=elsewhere).remote()

    monkeypatch.setattr(checks, "_asked", asked)
    with pytest.raises(ConfigError, match=r"(?s)not active in Ray's workers:\nnode [\d.]+: .*no such thing here"):
        checks.check_nodes()


def test_a_plugin_that_fails_to_load_says_so_in_the_log(tmp_path):
    """verl itself logs it at DEBUG, so nobody would see."""
    (tmp_path / "transfer_queue.py").write_text("raise ImportError('TransferQueue is not for this machine')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import verl"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert "hero-rl is not active in verl: ImportError: TransferQueue is not for this machine" in said
