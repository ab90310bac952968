"""Code, judged by tests that it has to pass."""

from hero_rl.verifiers.code.local import LocalSandbox
from hero_rl.verifiers.code.remote import RemoteSandbox
from hero_rl.verifiers.code.verifier import CodeVerifier

__all__ = ["CodeVerifier", "LocalSandbox", "RemoteSandbox"]
