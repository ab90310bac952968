"""Tokens a second of a reward model that vLLM serves, and of the same one in this process, side by side on a CPU.

    .venv-engines/bin/python benchmarks/served_reward_model.py  # writes docs/benchmarks/served_reward_model.md

It needs the environment of `make test-engines`. Both get the same conversations (benchmarks/reward_models.py) and must
give the same scores (checked here). Each has one thread, and its seconds are processor time, in which other programs do
not count: of one process here, of all processes of the server and of the client there. vLLM keeps its own fast kernels,
and its cache of prefixes is off, or it would remember the conversations of the repeat before.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from core import processor
from reward_models import SHAPES, Conversations, byte_tokenizer, classifier, rollouts

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engines"))

from engine_processes import Engines

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.3}  # of logits whose standard deviation is about one
FLAGS = ("--runner", "pooling", "--no-enable-prefix-caching", "--num-gpu-blocks-override", "128")


def here(folder: str, shape: str, dtype: Any) -> dict[str, Any]:
    """Seconds and scores of the model in this process."""
    import torch

    from hero_rl.reward_models import LocalRewardModelConfig

    torch.set_num_threads(1)
    model = LocalRewardModelConfig(path=folder, dtype=dtype).load()
    return _repeated(model.score, rollouts(shape), time.process_time)


def in_own_process(*arguments: str) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, __file__, "--measure", *arguments]
    return json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])


def served(engines: Engines, folder: str, shape: str, dtype: str, *flags: str) -> dict[str, Any]:
    """Seconds and scores of vLLM's server."""
    from hero_rl.reward_models import RemoteRewardModelConfig

    with engines.serving(Path(folder), *FLAGS, "--dtype", dtype, *flags, VLLM_PLUGINS="none") as server:
        server.wait(600)
        model = RemoteRewardModelConfig(urls=[server.url], tokenizer=folder, seconds=600).load()
        try:
            return _repeated(model.score, rollouts(shape), lambda: _of_all(server.process.pid) + time.process_time())
        finally:
            model.close()


def _of_all(root: int) -> float:
    """Processor seconds of a process and all that come from it."""
    process = psutil.Process(root)
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def _repeated(score: Callable[[Conversations], Any], texts: Conversations, clock: Callable[[], float]):
    score(texts)  # first-call costs
    seconds = []
    for _ in range(3):
        start = clock()
        scores = score(texts)
        seconds.append(clock() - start)
    return {"seconds": statistics.median(seconds), "scores": scores.tolist()}


def table(shapes: list[str], engines: Engines, folder: Path) -> str:
    lines = ["| model | dtype | way | tokens/s | processor seconds | of the time here | largest difference |"]
    lines.append("|---|---|---|---:|---:|---:|---:|")
    for shape in shapes:
        model, tokenizer = str(folder / shape), byte_tokenizer()
        classifier(shape, "cpu").save_pretrained(model)
        tokenizer.save_pretrained(model)
        texts: list[Any] = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in rollouts(shape)]
        tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts)
        for dtype in ("float32", "bfloat16"):
            found = {
                "here": in_own_process(model, shape, dtype),
                "vLLM, eager": served(engines, model, shape, dtype),
                "vLLM, compiled": served(engines, model, shape, dtype, "--no-enforce-eager"),
            }
            first = found["here"]
            for way, result in found.items():
                off = max(abs(a - b) for a, b in zip(first["scores"], result["scores"], strict=True))
                assert off <= TOLERANCE[dtype], (shape, dtype, way, off)
                lines.append(
                    f"| {shape} | {dtype} | {way} | {tokens / result['seconds']:,.0f} | {result['seconds']:.2f} "
                    f"| {result['seconds'] / first['seconds']:.2f}x | {off:.0e} |"
                )
                print(lines[-1], file=sys.stderr)
    return "\n".join(lines) + "\n"


def about(shapes: list[str], load: float) -> str:
    """What the table was measured on and over."""
    said = "; ".join(
        f"{shape}: {SHAPES[shape][5]} conversations of {SHAPES[shape][6]} to {SHAPES[shape][8]:,} tokens, median about "
        f"{SHAPES[shape][7]}"
        for shape in shapes
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("vllm", "torch", "transformers"))
    return (
        "# A served reward model against one in the process\n\n"
        f"`.venv-engines/bin/python benchmarks/served_reward_model.py` on one thread of {processor()}; {versions}, "
        f"Python {platform.python_version()}; load average {load:.1f} at the start. Qwen2 classifiers with random "
        f"weights; {said}. Processor time, of the client too where vLLM serves; median of three, after one. Padding "
        "does not count as tokens. Both on a CPU: nothing here says how they compare on a GPU.\n\n"
    )


def main() -> None:
    if "--measure" in sys.argv:
        print(json.dumps(here(*sys.argv[-3:])))
        return
    shapes, load = ["6M"], os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        engines = Engines(Path(folder))
        try:
            text = table(shapes, engines, Path(folder))
        finally:
            engines.close()
    print(text)
    page = Path(__file__).parents[1] / "docs/benchmarks/served_reward_model.md"
    page.write_text(about(shapes, load) + text)


if __name__ == "__main__":
    main()
