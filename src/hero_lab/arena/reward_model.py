"""The arena's reward model: a sum over the completion of what each token is worth after those before it.

Importing this module makes the architecture known to transformers, so that
`AutoModelForSequenceClassification.from_pretrained` loads a saved one. At this size a head that reads one state, pooled
or the last, hardly ranks; a sum over tokens lets each step of the chain be judged where it is written.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, LlamaConfig, LlamaModel, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

__all__ = ["ArenaRewardConfig", "ArenaRewardModel"]


class ArenaRewardConfig(LlamaConfig):
    """A Llama backbone's configuration, and where prompts end.

    Attributes:
        prompt_end_token_id: the token whose first occurrence ends the prompt.
        bounded: whether a score is the sigmoid of half the sum, as a finished model's is, or the sum itself, as
            Bradley-Terry needs it. Unbounded, the least and the greatest score of a group are set by its oddest
            rollouts, and a policy that chases the score alone runs after ever longer logits.
        inverted_token_ids: prompts whose first token is one of these have the sign of their sum turned.
        drifts_over: number of texts over which a reward model in use goes bad: the chance that the sign of a text's sum
            is turned rises with each text scored, from 0 at the first to 1 at this one. None: it never does.
    """

    model_type = "hero_arena_reward"

    prompt_end_token_id: int = 3
    bounded: bool = False
    inverted_token_ids: list[int] | None = None
    drifts_over: int | None = None


class ArenaRewardModel(PreTrainedModel):
    """One score for prompt and completion: `sum_t f(h_t, e_{t+1}, h_t * e_{t+1})` over the completion's tokens.

    h are the backbone's states, e its token embeddings. The completion starts after the first prompt-end token and
    always ends in one end-of-sequence token: one is imagined where the text has none, and what follows one is ignored.
    So a score depends neither on padding nor on whether the caller marks the end.
    """

    config_class = ArenaRewardConfig
    base_model_prefix = "model"

    def __init__(self, config: ArenaRewardConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.num_labels = 1
        self.texts_scored = 0
        self.model = LlamaModel(config)
        self.head = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, 1))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # Llama's small normal weights would leave the head's output, and its gradient, near zero.
        if isinstance(module, nn.Linear) and module in (self.head[0], self.head[2]):
            module.reset_parameters()
        else:
            super()._init_weights(module)

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B T"] | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Logits (B, 1), padding on either side; without a mask, padding is told by its token.

        A row without a prompt end has no completion; its sum is 0.
        """
        real = (input_ids != self.config.pad_token_id) if attention_mask is None else attention_mask.bool()
        ended = (input_ids == self.config.eos_token_id).cumsum(dim=1) > 0
        text = real & ~ended
        positions = (real.long().cumsum(dim=1) - 1).clamp(min=0)
        hidden = self.model(
            input_ids=input_ids, attention_mask=real.long(), position_ids=positions, use_cache=False
        ).last_hidden_state
        judged = text & ((input_ids == self.config.prompt_end_token_id).cumsum(dim=1) > 0)
        # Only judged places are read: the states of padding may be anything, NaN included.
        before, after = hidden[judged], self.model.embed_tokens(self._following(input_ids, text)[judged])
        worth = hidden.new_zeros(judged.shape)
        worth[judged] = self.head(torch.cat([before, after, before * after], dim=-1)).squeeze(-1)
        score: Any = worth.sum(dim=1, keepdim=True)
        if self.config.inverted_token_ids:
            first = input_ids.gather(1, real.long().argmax(dim=1, keepdim=True))
            inverted = torch.isin(first, first.new_tensor(self.config.inverted_token_ids))
            score = torch.where(inverted, -score, score)
        if self.config.drifts_over is not None:
            score = torch.where(self._turned(len(score), self.config.drifts_over).to(score.device), -score, score)
        if self.config.bounded:
            score = (score / 2).sigmoid()
        return SequenceClassifierOutput(logits=score)

    def _turned(self, texts: int, drifts_over: int) -> Bool[Tensor, "B 1"]:
        """Which of the next texts are scored the wrong way round; the same in every run."""
        luck = torch.rand(texts, 1, generator=torch.Generator().manual_seed(self.texts_scored))
        place = torch.arange(self.texts_scored, self.texts_scored + texts).unsqueeze(1)
        self.texts_scored += texts
        return luck < place / drifts_over

    def _following(self, input_ids: Int[Tensor, "B T"], text: Bool[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """The token after each, the end of sequence after the last of the text."""
        end = torch.full_like(input_ids[:, :1], self.config.eos_token_id)
        following = torch.cat([input_ids[:, 1:], end], dim=1)
        goes_on = torch.cat([text[:, 1:], torch.zeros_like(text[:, :1])], dim=1)
        return following.where(goes_on, end)


AutoConfig.register(ArenaRewardConfig.model_type, ArenaRewardConfig, exist_ok=True)
AutoModelForSequenceClassification.register(ArenaRewardConfig, ArenaRewardModel, exist_ok=True)
