"""Settings that are inert or dangerous, found before a run: probes of the trainers' own advantage functions."""

from hero_rl.preflight.verl import Objection, verl_objections
from hero_rl.preflight.weight_transfer import transfer_objections

__all__ = ["Objection", "transfer_objections", "verl_objections"]
