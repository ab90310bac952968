"""A reward model's server in this process, of vLLM's or SGLang's kind, that answers as badly as it is told to."""

import scripted_server
from scripted_server import ScriptedHandler, ScriptedServer, drips, hangs_up, sends
from scripted_server import refuses as says

__all__ = ["RewardServer", "answers", "changed", "drips", "hangs_up", "logit", "says", "sends", "waits"]


def logit(tokens):
    """The model: any function of the token ids that tells texts apart, in float32's exact numbers."""
    return sum((place % 7 + 1) * token for place, token in enumerate(tokens)) % 4096 / 128 - 16


class RewardServer(ScriptedServer):
    """Answers by `answer`, which gives a body for `input`, or by the next behaviour of the script while it lasts."""

    def __init__(self, port=0, model=logit):
        super().__init__(ScriptedHandler, port)
        self.model = model
        self.always = None  # a behaviour of all requests

    @property
    def sizes(self):
        """Conversations in each request, the probe's four among them."""
        return [len(body["input"]) for _, _, body in self.posts]

    def behaviour(self):
        with self.lock:
            return self.script.pop(0) if self.script else self.always or answers


def items_of(path, inputs, model):
    """`data` of a reply, in the shape of the endpoint."""
    if path == "/classify":
        return [
            {"index": at, "label": "LABEL_0", "probs": [model(tokens)], "num_classes": 1}
            for at, tokens in enumerate(inputs)
        ]
    if path == "/pooling":
        return [{"index": at, "object": "pooling", "data": [model(tokens)]} for at, tokens in enumerate(inputs)]
    assert path == "/v1/embeddings"
    return [{"index": at, "object": "embedding", "embedding": [model(tokens)]} for at, tokens in enumerate(inputs)]


def answers(handler, body):
    data = items_of(handler.path, body["input"], handler.server.model)
    handler.send({"object": "list", "model": "rm", "data": data, "usage": {"prompt_tokens": 1}})


def changed(change):
    """A regular reply with `data` run through a function."""

    def behaviour(handler, body):
        handler.send({"data": change(items_of(handler.path, body["input"], handler.server.model))})

    return behaviour


def waits(seconds, then=answers):
    return scripted_server.waits(seconds, then)
