"""A reward model's server in this process, of vLLM's or SGLang's kind, that answers as badly as it is told to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def logit(tokens):
    """The model: any function of the token ids that tells texts apart, in float32's exact numbers."""
    return sum((place % 7 + 1) * token for place, token in enumerate(tokens)) % 4096 / 128 - 16


class RewardServer(ThreadingHTTPServer):
    """Answers by `answer`, which gives a body for `input`, or by the next behaviour of the script while it lasts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0, model=logit):
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = model
        self.script = []  # behaviours of the next requests, each a function of handler and body
        self.always = None  # a behaviour of all requests
        self.posts = []  # (path, headers, body)
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def sizes(self):
        """Conversations in each request, the probe's four among them."""
        return [len(body["input"]) for _, _, body in self.posts]

    def behaviour(self):
        with self.lock:
            return self.script.pop(0) if self.script else self.always or answers

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is what many tests are about

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.posts.append((self.path, dict(self.headers), body))
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            if not server.ended.is_set():
                server.behaviour()(self, body)
        finally:
            with server.lock:
                server.at_once -= 1
        self.close_connection = self.close_connection or server.ended.is_set()

    def send(self, body, status=200, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


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


def says(status, message="no", **headers):
    return lambda handler, _: handler.send({"error": {"message": message}}, status, **headers)


def sends(content):
    return lambda handler, _: handler.send(content)


def changed(change):
    """A regular reply with `data` run through a function."""

    def behaviour(handler, body):
        handler.send({"data": change(items_of(handler.path, body["input"], handler.server.model))})

    return behaviour


def waits(seconds, then=answers):
    def behaviour(handler, body):
        handler.server.ended.wait(seconds)
        then(handler, body)

    return behaviour


def drips(handler, _):
    """A reply of which a byte comes every few milliseconds, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.close_connection = True
    until = time.monotonic() + 20
    while not handler.server.ended.wait(0.01) and time.monotonic() < until:
        handler.wfile.write(b" ")


def hangs_up(handler, _):
    """Half a reply, then the end of the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True
