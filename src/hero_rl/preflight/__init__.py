"""Settings that are inert or dangerous, found before a run: probes of the trainers' own advantage functions."""

from hero_rl.preflight.verl import Finding, verl_findings
from hero_rl.preflight.weight_transfer import transfer_findings

__all__ = ["Finding", "transfer_findings", "verl_findings"]
