"""Every exception that hero-rl raises on purpose.

```
HeroError
├── ConfigError       a setting is wrong; the message names it
├── DataError         an input file or batch is wrong; the message names file, row and field
├── CheckpointError   a checkpoint lacks HERO's state or carries another rule's
├── AlarmError        an alarm that was to end the run came on
├── UnscorableError   too large a share of rollouts could not be scored: infrastructure, not policy
└── GenerationError   a model that was to write text is gone
```

Bad arguments of the pure functions are plain `ValueError` and `TypeError`, as everywhere in Python.
"""

__all__ = [
    "AlarmError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "GenerationError",
    "HeroError",
    "UnscorableError",
]


class HeroError(Exception):
    """Base of all errors below."""


class ConfigError(HeroError, ValueError):
    """A setting is wrong; the message names it."""


class DataError(HeroError, ValueError):
    """An input file or batch is wrong; the message names the file, the row and the field."""


class CheckpointError(HeroError, RuntimeError):
    """A checkpoint lacks HERO's state or carries the state of another rule."""


class AlarmError(HeroError, RuntimeError):
    """An alarm that was to end the run came on."""


class UnscorableError(HeroError, RuntimeError):
    """Too large a share of rollouts could not be scored, so that training on would be drift."""


class GenerationError(HeroError, RuntimeError):
    """A model that was to write text is gone; what it wrote before stands."""
