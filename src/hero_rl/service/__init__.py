"""Verifier, reward model and rule behind HTTP, for trainers in other languages, processes or machines."""

from hero_rl.service.settings import Limits, OpenRLHF, ServiceConfig

__all__ = ["Limits", "OpenRLHF", "ServiceConfig"]
