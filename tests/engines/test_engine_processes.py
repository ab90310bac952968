"""That nothing is left of what was started."""

import sys
import time

import psutil
import pytest

# A child that leaves its parent, its session and its name and environment behind, as Ray's and vLLM's do.
LEAVES = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["VLLM::Worker", "{seconds}"], {{}})
    os._exit(0)
os.wait()
{end}
"""
SECONDS = 987.25  # a time that no other process sleeps for


def sleepers():
    # Asked for this way, a zombie has no command line, which is no error.
    return [one for one in psutil.process_iter(["cmdline"]) if str(SECONDS) in (one.info["cmdline"] or [])]


@pytest.mark.parametrize("end", ["", "time.sleep(60)"])
def test_what_leaves_its_parent_is_ended_too(engines, end):
    if end:
        with pytest.raises(AssertionError, match="no end within"):
            engines.run(sys.executable, "-c", LEAVES.format(seconds=SECONDS, end=end), seconds=3)
        assert not sleepers()
        return
    engines.run(sys.executable, "-c", LEAVES.format(seconds=SECONDS, end=end), seconds=30)
    until = time.monotonic() + 30
    while not sleepers():  # it may not have come so far as to sleep
        assert time.monotonic() < until
        time.sleep(0.05)
    engines.end()
    assert not sleepers()
