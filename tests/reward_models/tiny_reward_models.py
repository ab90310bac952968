"""Tiny random reward models with a byte-level tokenizer, made on the spot."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForSequenceClassification

SPECIAL = ["<pad>", "<bos>", "<eos>"]
PAD, BOS, EOS = range(3)

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<eos>{% endfor %}"
BOS_TEMPLATE = "{{ bos_token }}" + TEMPLATE
ALTERNATING_TEMPLATE = (
    "{% if messages[0]['role'] != 'user' %}{{ raise_exception('a user speaks first') }}{% endif %}" + BOS_TEMPLATE
)


def tokenizer(template=None, *, adds_bos=False, pad=True, side="right"):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(SPECIAL + alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if adds_bos:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    special = {"bos_token": "<bos>", "eos_token": "<eos>"} | ({"pad_token": "<pad>"} if pad else {})
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=template,
        padding_side=side,
        clean_up_tokenization_spaces=False,
        **special,
    )


def model(num_labels=1, max_positions=4096, pad_token_id=None):
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(SPECIAL) + 256,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=max_positions,
        num_labels=num_labels,
        pad_token_id=pad_token_id,
        initializer_range=0.3,
    )
    return Qwen3ForSequenceClassification(config)


def chat(prompt, completion):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
