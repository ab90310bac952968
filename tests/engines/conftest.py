"""Whole runs of vLLM, verl and TRL on the CPU: `make test-engines`.

They need an environment with vLLM for CPUs and what lies in `on_cpu`, and 16 GiB of memory; elsewhere they skip.
"""

import resource
from importlib.util import find_spec
from pathlib import Path

import pytest

_NEEDED_GIB = 16
_HERE = Path(__file__).parent


def _memory_gib():
    """Of the machine, or of the control group if that has less."""
    pages = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    gib = int(pages.split()[1]) / 2**20
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        gib = min(gib, int(text) / 2**30)
    return gib


def _reason_to_skip():
    if find_spec("vllm_on_cpu") is None:
        return "no vLLM for CPUs here: `make test-engines` has an environment with it"
    # The kernel keeps some of what a machine is said to have.
    if (gib := _memory_gib()) < 0.9 * _NEEDED_GIB:
        return f"vLLM and verl together need {_NEEDED_GIB} GiB of memory, and this machine has {gib:.1f}"
    return None


def pytest_collection_modifyitems(items):
    here = [item for item in items if item.path.is_relative_to(_HERE)]
    if here and (reason := _reason_to_skip()):
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Starts engines; at the end of the module none of them is left."""
    from engine_processes import Engines

    one = Engines(tmp_path_factory.mktemp("engines"))
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of a policy, a judge and a reward model."""
    from tiny_engine_models import ANSWERS, VERDICTS, write_policy, write_reward_model

    folder = tmp_path_factory.mktemp("models")
    return {
        "policy": write_policy(folder / "policy", ANSWERS),
        "judge": write_policy(folder / "judge", VERDICTS),
        "reward_model": write_reward_model(folder / "reward_model"),
    }


@pytest.fixture(scope="module", autouse=True)
def _figures(request):
    """Print the memory of the largest process that ended, for those who look at what a run takes."""
    yield
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"\n{request.module.__name__}: largest process {peak:.1f} GiB")
