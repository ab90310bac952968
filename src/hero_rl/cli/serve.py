"""`hero serve`: verifier, reward model and rule behind HTTP."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from hero_rl.cli.arguments import parse

if TYPE_CHECKING:
    from hero_rl.service import ServiceConfig

__all__ = ["run"]

_EPILOG = """
Any setting can be overridden by its dotted name; values are YAML. Without CONFIG.yaml: the maths verifier, no reward
model, HERO. It listens on this machine alone unless the configuration names a token for clients.

examples:
  hero serve
  hero serve --port 8001 --verifier.type math_verify
  hero serve --reward_model.path nvidia/AceMath-7B-RM --rule.type gated_hero
  hero serve service.yaml --host 0.0.0.0 --token_env HERO_TOKEN
  hero serve service.yaml --check

Endpoints, limits, metrics: docs/guides/service.md; every setting: docs/reference/configuration.md
"""


@dataclass(kw_only=True)
class _Arguments:
    """Serve verdicts, scores, rewards and advantages over HTTP."""

    config: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[CONFIG.yaml]")] = None
    """The configuration file."""

    host: str | None = None
    """Address to listen on; 127.0.0.1 unless told otherwise."""

    port: int | None = None
    """TCP port, 8000 unless told otherwise; 0 takes a free one."""

    token_env: str | None = None
    """Environment variable that holds the token of clients."""

    threads: int | None = None
    """Batches that are scored at the same time."""

    check: bool = False
    """Check the configuration, load no model, serve nothing."""

    json: bool = False
    """Print the address as one JSON object once the service listens."""


def run(argv: list[str]) -> int:
    """Parse the arguments and serve until SIGTERM or Ctrl-C."""
    arguments, rest = parse(_Arguments, argv, "serve", _EPILOG)
    config = _config(arguments, rest)
    if arguments.check:
        print(f"{arguments.config or 'configuration'}: good", file=sys.stderr)
        return 0
    from transformers.utils import logging as transformers_logging

    from hero_rl.service.server import serve

    transformers_logging.disable_progress_bar()
    serve(config, lambda url: _say(url, arguments.json))
    print("ended", file=sys.stderr)
    return 0


def _config(arguments: _Arguments, rest: list[str]) -> ServiceConfig:
    from hero_rl.service import ServiceConfig
    from hero_rl.settings import parse_overrides, read_yaml, resolve

    own = {name: getattr(arguments, name) for name in ("host", "port", "token_env", "threads")}
    overrides = parse_overrides(rest) | {name: value for name, value in own.items() if value is not None}
    raw = read_yaml(arguments.config) if arguments.config else {}
    return resolve(raw, overrides, arguments.config or "--", ServiceConfig)


def _say(url: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"url": url}), flush=True)
    else:
        print(f"listening  {url}", file=sys.stderr, flush=True)
