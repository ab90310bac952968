"""Fixtures of the whole suite."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# A busy machine is no failure: nothing in the suite is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


# A shell without job control starts `make test &` with SIGINT ignored, and a process hands that on to its children: the
# commands under test would not hear Ctrl-C. A handler of Python's is not handed on, so they begin with the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of public data to measure on; tests that need it skip without it."""
    folder = Path(os.environ.get("HERO_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder
