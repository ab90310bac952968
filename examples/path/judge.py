"""A judge for the arena's problems that speaks OpenAI's protocol: the oracle, who knows every right spelling.

    python examples/path/judge.py 8765

It stands where a language model stands in docs/guides/path.md, reads the same question and answer out of the same
prompt, and is never wrong. Left out on purpose: everything of the protocol that a judge is not asked for.
"""

from __future__ import annotations

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hero_lab.arena import is_correct

ASKED = re.compile(r"<question>\s*(.*?)\s*</question>.*<candidate>\s*(.*?)\s*</candidate>", re.DOTALL)


def reply(prompt: str) -> str:
    """The judge's words on a prompt of `JudgeVerifier`."""
    found = ASKED.search(prompt)
    right = found is not None and is_correct(found[1], found[2])
    return f"Verdict: {'correct' if right else 'incorrect'}"


class Handler(BaseHTTPRequestHandler):
    """Answers `/v1/models` and `/v1/chat/completions`."""

    protocol_version = "HTTP/1.1"  # connections stay open

    def do_GET(self) -> None:
        """Name the one model."""
        self._send({"object": "list", "data": [{"id": "oracle", "object": "model"}]})

    def do_POST(self) -> None:
        """Judge."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": reply(asked["messages"][-1]["content"])}
        self._send({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def _send(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(130)
