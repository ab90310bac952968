"""Packages that only some users have: which extra of hero-rl brings them."""

from __future__ import annotations

__all__ = ["named"]

_EXTRAS = {
    **dict.fromkeys(["trl", "accelerate", "datasets", "pandas", "pyarrow", "peft", "requests"], "trl"),
    **dict.fromkeys(["verl", "hydra", "omegaconf", "ray", "tensordict", "transfer_queue"], "verl"),
    **dict.fromkeys(["matplotlib", "jinja2"], "report"),
    **dict.fromkeys(["fastapi", "uvicorn", "prometheus_client"], "serve"),
}


def named(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error with the command that installs what is missing, where one of the extras does."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    return ModuleNotFoundError(f"{error}; pip install 'hero-rl[{extra}]'", name=error.name) if extra else error
