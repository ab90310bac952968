"""The real verl on the CPU: one small Ray cluster and one TransferQueue for all tests of this folder.

The tests skip where there is no `verl.trainer`; this folder itself would pass for an empty package `verl`.
"""

import os
from pathlib import Path

import pytest

FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "examples")]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Paths of a tiny random policy and a tiny random reward model."""
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def problems(tmp_path_factory):
    """Eight problems in verl's own layout."""
    from verl_parts import write_problems

    return write_problems(tmp_path_factory.mktemp("data") / "problems.parquet", 8)


@pytest.fixture(scope="session")
def cluster():
    """Ray with workers that find the modules of this folder."""
    import ray

    os.environ["PYTHONPATH"] = os.pathsep.join([*FOLDERS, os.environ.get("PYTHONPATH", "")])
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def queue(cluster):
    """TransferQueue with one storage unit."""
    import transfer_queue as tq
    from omegaconf import OmegaConf

    settings = {"backend": {"storage_backend": "SimpleStorage", "SimpleStorage": {"num_data_storage_units": 1}}}
    tq.init(OmegaConf.create(settings))
    yield tq
    tq.close()
