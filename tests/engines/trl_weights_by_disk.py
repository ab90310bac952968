"""`hero` with TRL's client of a vLLM server sending weights over the disk, since TRL sends them over NCCL alone.

    python trl_weights_by_disk.py FOLDER train run.yaml

All else of the client is TRL's. The server needs VLLM_SERVER_DEV_MODE=1, which TRL's own way wants too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient

from hero_lab.cli import main

FOLDER = Path(sys.argv[1])


class DiskClient(VLLMClient):
    """Writes weights into a folder and has the server load them from there."""

    def init_communicator(self, *_: Any, **__: Any) -> None:
        """There is no group of processes to join."""

    def update_named_params(self, metadata: Any, named_params: Iterator[tuple[str, torch.Tensor]]) -> None:
        """Hand over all weights."""
        save_file({name: weight.contiguous() for name, weight in named_params}, FOLDER / "model.safetensors")
        call = {"method": "reload_weights", "kwargs": {"weights_path": str(FOLDER)}}
        self._post(f"{self.base_url}/collective_rpc", json=call)


vllm_generation.VLLMClient = DiskClient
sys.exit(main(sys.argv[2:]))
