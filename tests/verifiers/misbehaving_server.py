"""An OpenAI-compatible server in this process that answers as badly as it is told to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "the-judge"


class Server(ThreadingHTTPServer):
    """Each POST is answered by the next behaviour of the script; the last one stays."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = [says("Verdict: correct")]
        self.models = [MODEL]
        self.posts = []  # (path, headers, body) of each POST
        self.model_lookups = 0
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def prompts(self):
        return [body["messages"][0]["content"] if "messages" in body else body["prompt"] for _, _, body in self.posts]

    def next_behaviour(self):
        with self.lock:
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is what many tests are about

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.model_lookups += 1
        self.send({"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.posts.append((self.path, dict(self.headers), body))
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            self.server.next_behaviour()(self, body)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def send(self, body, status=200, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


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


def answers(status, message="no", **headers):
    return lambda handler, _: handler.send({"error": {"message": message}}, status, **headers)


def sends(content):
    return lambda handler, _: handler.send(content)


def waits(seconds, then):
    def behaviour(handler, body):
        handler.server.ended.wait(seconds)
        then(handler, body)

    return behaviour


def drips(handler, _):
    """A reply of which a byte comes every few milliseconds, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    drip(handler, b" ")


def drips_headers(handler, _):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    drip(handler, b"X-More: more\r\n")


def drip(handler, part):
    handler.close_connection = True
    until = time.monotonic() + 20
    while not handler.server.ended.wait(0.01) and time.monotonic() < until:
        handler.wfile.write(part)


def is_huge(handler, _):
    handler.send_response(200)
    handler.send_header("Content-Length", str(2**30))
    handler.end_headers()
    handler.close_connection = True
    for _ in range(2**14):
        handler.wfile.write(b" " * 2**16)


def hangs_up(handler, _):
    """Half a reply, then the end of the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True
