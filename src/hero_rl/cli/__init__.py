"""The command `hero`: one file a verb, each loaded only when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module

from hero_rl.errors import ConfigError, HeroError
from hero_rl.extras import MissingExtra, named

__all__ = ["main"]

_VERBS = {
    "data": "make the training data: regimes, the cold start, textbook questions",
    "train": "train a policy from a configuration file",
    "sft": "fine-tune a model on completions: the cold start",
    "recipe": "list, show and run ready configurations: for one GPU, and the paper's",
    "train-rm": "train a reward model from preference pairs or labelled rollouts",
    "preflight": "name settings that are inert or dangerous, before a run",
    "eval": "evaluate a model on benchmarks: pass@k, maj@k, intervals, verifier and judge",
    "compare": "make the paper's table from evaluations, with intervals and tests",
    "verify": "judge final answers against their references",
    "score": "add verdicts, scores, rewards and advantages to a file of rollouts",
    "diagnose": "see inside the reward of rollouts that are there already",
    "serve": "give verdicts, scores, rewards and advantages over HTTP",
}

_FIRST = {
    "demo": "see it work on this machine: no download, no GPU, some minutes",
    "diagnose": "look at rollouts that you have: hero diagnose rollouts.jsonl",
    "train": "train without a script: hero train config.yaml",
}

_HELP = """usage: hero <verb> [arguments]

begin with one of these; a training script needs none of them, it uses `hero_rl.HeroGRPOTrainer`:
{first}

verbs:
{verbs}

`hero <verb> --help` shows a verb's arguments and examples.
exit codes: 0 done, 1 failed, 2 wrong arguments, configuration or data, 130 interrupted
"""


def _rows(verbs: Mapping[str, str]) -> str:
    return "\n".join(f"  {name:<11}{what}" for name, what in verbs.items())


def main(arguments: list[str] | None = None, more: Mapping[str, tuple[str, str]] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: words after `hero`; those of the process by default.
        more: verbs of another package: what each is for, and the module whose `run` it is.

    Returns:
        The exit code.
    """
    verbs = {verb: (what, f"{__name__}.{verb.replace('-', '_')}") for verb, what in _VERBS.items()} | dict(more or {})
    arguments = sys.argv[1:] if arguments is None else arguments
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help"):
        first = {name: what for name, what in _FIRST.items() if name in verbs}
        print(_HELP.format(first=_rows(first), verbs=_rows({name: what for name, (what, _) in verbs.items()})))
        return 0
    if verb == "--version":
        from hero_rl import __version__

        print(__version__)
        return 0
    if verb not in verbs:
        print(f"hero: unknown verb {verb!r}; one of: {', '.join(verbs)}", file=sys.stderr)
        return 2
    try:
        return import_module(verbs[verb][1]).run(arguments[1:])
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if not isinstance(said := named(error), MissingExtra):
            raise
        print(f"hero {verb}: {said}", file=sys.stderr)
        return 1
    except HeroError as error:
        print(f"hero {verb}: {error}", file=sys.stderr)
        return 2 if isinstance(error, (ConfigError, ValueError)) else 1
    except BrokenPipeError:  # who reads the output has enough of it, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would say so once more as it ends
        return 141
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"hero {verb}: {error}", file=sys.stderr)
        return 1
