"""Verifier, reward model and rule behind HTTP, for trainers in other languages, processes or machines."""

from hero_rl.service.settings import Limits, ServiceConfig

__all__ = ["Limits", "ServiceConfig"]
