"""A service whose verifier does what completions say: python serve_obedient.py '<ServiceConfig as JSON>'."""

import sys
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1] / "verifiers"))

from hostile_verifiers import Obedient

from hero_rl.service import ServiceConfig
from hero_rl.service.server import serve
from hero_rl.verifiers import Supervised


class Lengths:
    """Scores a completion by its length; `score:missing` has none, `score:raise` fails, `score:sleep` takes long."""

    @property
    def counters(self):
        return {"missing": 0}

    def score(self, conversations):
        texts = [conversation[-1]["content"] for conversation in conversations]
        if "score:raise" in texts:
            raise RuntimeError("no scores today")
        time.sleep(0.6 * texts.count("score:sleep"))
        return torch.tensor([float("nan") if text == "score:missing" else float(len(text)) for text in texts])


if __name__ == "__main__":
    config = ServiceConfig.model_validate_json(sys.argv[1])
    verifier = Supervised(Obedient(), workers=2, seconds=1.5)
    serve(config, lambda url: print(url, flush=True), verifier, Lengths() if "scores" in sys.argv else None)
