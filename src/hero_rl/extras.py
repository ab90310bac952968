"""Packages that only some users have: which extra of hero-rl brings them."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["MissingExtra", "named", "require"]

_EXTRAS = {
    **dict.fromkeys(["trl", "accelerate", "datasets", "pandas", "pyarrow", "peft", "requests"], "trl"),
    **dict.fromkeys(["verl", "hydra", "omegaconf", "ray", "tensordict", "transfer_queue"], "verl"),
    **dict.fromkeys(["matplotlib", "jinja2"], "report"),
    **dict.fromkeys(["gguf"], "words"),
    **dict.fromkeys(["reasoning_gym"], "gym"),
    **dict.fromkeys(["if_verifiable", "langdetect"], "instructions"),
    **dict.fromkeys(["fastapi", "uvicorn", "prometheus_client"], "serve"),
}


class MissingExtra(ModuleNotFoundError):
    """A package is missing that an extra brings; the message ends with the command that installs it."""


def named(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error as a `MissingExtra`, where an extra brings what is missing; else the error."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None or isinstance(error, MissingExtra):
        return error
    return MissingExtra(f"{error}; pip install 'hero-rl[{extra}]'", name=error.name)


def require(*packages: str) -> None:
    """Raise for the first package that is not installed, where it would be missed only after minutes of work.

    Raises:
        ModuleNotFoundError: with the package's name.
    """
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
