"""Rollouts as other tools write them: one file a format, each made from the tool's own writer."""

from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut
from hero_rl.rollouts.formats.gsm8k import GSM8K
from hero_rl.rollouts.formats.lighteval import LIGHTEVAL
from hero_rl.rollouts.formats.lm_eval import LM_EVAL
from hero_rl.rollouts.formats.nemo_rl import NEMO_RL
from hero_rl.rollouts.formats.open_instruct import OPEN_INSTRUCT
from hero_rl.rollouts.formats.openrlhf import OPENRLHF
from hero_rl.rollouts.formats.slime import SLIME
from hero_rl.rollouts.formats.traces import TRACES
from hero_rl.rollouts.formats.verifiers import VERIFIERS

__all__ = ["FOREIGN", "Decode", "Foreign", "LeftOut"]

FOREIGN = {
    one.name: one for one in (VERIFIERS, TRACES, NEMO_RL, OPEN_INSTRUCT, SLIME, OPENRLHF, LM_EVAL, LIGHTEVAL, GSM8K)
}
"""The formats by name; no row is of two."""
