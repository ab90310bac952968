"""An OpenAI-compatible server in this process that answers as badly as it is told to."""

from scripted_server import ScriptedHandler, ScriptedServer, drip, drips, hangs_up, sends, waits
from scripted_server import refuses as answers

__all__ = ["MODEL", "Server", "answers", "drips", "drips_headers", "hangs_up", "is_huge", "says", "sends", "waits"]

MODEL = "the-judge"


class Server(ScriptedServer):
    """Each POST is answered by the next behaviour of the script; the last one stays."""

    def __init__(self):
        super().__init__(Handler)
        self.script = [says("Verdict: correct")]
        self.models = [MODEL]
        self.model_lookups = 0

    @property
    def prompts(self):
        return [body["messages"][0]["content"] if "messages" in body else body["prompt"] for _, _, body in self.posts]

    def behaviour(self):
        with self.lock:
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class Handler(ScriptedHandler):
    def do_GET(self):
        self.server.model_lookups += 1
        self.send({"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})


def says(text, finish="stop", prompt_tokens=7, completion_tokens=3, **message):
    """A regular reply; `text` may be a function of the prompt."""

    def behaviour(handler, body):
        prompt = body["messages"][0]["content"] if "messages" in body else body["prompt"]
        said = text(prompt) if callable(text) else text
        choice = (
            {"message": {"role": "assistant", "content": said, **message}} if "messages" in body else {"text": said}
        )
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        handler.send({"choices": [{"index": 0, "finish_reason": finish, **choice}], "usage": usage})

    return behaviour


def drips_headers(handler, _):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    drip(handler, b"X-More: more\r\n")


def is_huge(handler, _):
    handler.send_response(200)
    handler.send_header("Content-Length", str(2**30))
    handler.end_headers()
    handler.close_connection = True
    for _ in range(2**14):
        handler.wfile.write(b" " * 2**16)
