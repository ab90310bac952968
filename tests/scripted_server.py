"""A server in this process that answers each request by a function: what is common to the tests' servers."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedServer(ThreadingHTTPServer):
    """Keeps what it is sent. A subclass says by `behaviour` which function of handler and body answers next."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler, port=0):
        super().__init__(("127.0.0.1", port), handler)
        self.script = []
        self.posts = []  # (path, headers, body)
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is what many tests are about

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.server_close()


class ScriptedHandler(BaseHTTPRequestHandler):
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


def refuses(status, message="no", **headers):
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


def drip(handler, part):
    handler.close_connection = True
    until = time.monotonic() + 20
    while not handler.server.ended.wait(0.01) and time.monotonic() < until:
        handler.wfile.write(part)


def hangs_up(handler, _):
    """Half a reply, then the end of the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True
