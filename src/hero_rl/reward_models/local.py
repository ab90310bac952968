"""A reward model in this process: any one-label sequence classifier of transformers.

    scores = LocalRewardModelConfig(path="nvidia/AceMath-7B-RM").load().score(conversations)

A conversation's score does not depend on what else is in the batch.
"""

from __future__ import annotations

from typing import Any, Literal

from hero_rl.errors import ConfigError
from hero_rl.foreign import refuse_no_model
from hero_rl.reward_models.heads import Classifier, OwnCode, check_one_label
from hero_rl.reward_models.in_process import InProcessConfig, InProcessRewardModel
from hero_rl.reward_models.rendering import OtherParts, Renderer, own_limit

__all__ = ["LocalRewardModel", "LocalRewardModelConfig"]


class LocalRewardModelConfig(InProcessConfig):
    """Where a local reward model comes from and how it runs.

    Attributes:
        trust_remote_code: run Python code that comes with the checkpoint. Off unless you say so; Qwen2.5-Math-RM
            needs it.
    """

    type: Literal["local"] = "local"

    def load(self) -> LocalRewardModel:
        """Load model and tokenizer.

        Raises:
            ConfigError: the checkpoint has not exactly one label, or no trained head for it; or it needs code of its
                own that is not trusted; or the attention is not to be had.
        """
        import transformers

        own = _own_class(self.path, self.revision)
        if own and not self.trust_remote_code:
            raise ConfigError(
                f"reward_model.trust_remote_code: {self.path} needs Python code of its own; if you trust it, say true"
            )
        model, tokenizer = self._load(
            getattr(transformers, own or "AutoModelForSequenceClassification"), "reward model", "reward_model."
        )
        if not own:
            check_one_label(model.config.num_labels, f"reward_model.path: {self.path}")
        return LocalRewardModel(
            model,
            tokenizer,
            token_budget=self.token_budget,
            max_tokens=self.max_tokens,
            own_code=bool(own),
            other_parts=self.other_parts,
        )


class LocalRewardModel(InProcessRewardModel):
    """Scores conversations with a one-label `AutoModelForSequenceClassification` and its tokenizer.

    A conversation goes through the tokenizer's own chat template; without one the contents are joined as they stand,
    nothing between them. Control tokens that a message spells are text; see `Renderer`. The score is the raw logit.

    The padding token is the model's, at whose last other token transformers reads the logit: with end-of-sequence as
    padding that is the last token before it. A model whose configuration names none is read at the very last token, as
    it reads itself without padding. A score is the same for one conversation as in a batch.

    Attributes:
        model: the classifier, in eval mode.
        tokenizer: its tokenizer.
        token_budget: tokens in one forward pass, padding included; halved for good where memory runs out.
        max_tokens: the longest sequence the model is given; a longer one loses its middle, so that the prompt's start
            and the completion's ending stay. None: no limit is known.
        own_code: whether the model's class came with the checkpoint; see `OwnCode` for where its score is read.
        other_parts: see `Renderer`.

    Raises:
        ConfigError: the model has not exactly one label, or, where its class came with it, nothing to pad with.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        token_budget: int | None = None,
        max_tokens: int | None = None,
        own_code: bool = False,
        other_parts: OtherParts = "refuse",
    ) -> None:
        head = (OwnCode if own_code else Classifier)(model, tokenizer)
        limit = own_limit(model.config, tokenizer) if max_tokens is None else max_tokens
        super().__init__(head, Renderer(tokenizer, limit, other_parts), token_budget)


def _own_class(path: str, revision: str | None) -> str | None:
    """The transformers class that loads the checkpoint by code of its own; None where transformers knows its class."""
    refuse_no_model("reward_model.path", path, revision)
    import transformers

    config, _ = transformers.PreTrainedConfig.get_config_dict(path, revision=revision)
    offered = config.get("auto_map") or {}
    if any(hasattr(transformers, name) for name in config.get("architectures") or ()):
        return None
    names = ("AutoModelForSequenceClassification", "AutoModel")
    return next((name for name in names if name in offered), None)
