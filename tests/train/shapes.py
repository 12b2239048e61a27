"""Very small models of every shape, as folders that `from_pretrained` reads."""

from pathlib import Path

import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
)

SHAPES = ("llama", "gpt2", "gemma2", "bloom", "t5", "bart", "bert")
# What stands around a text, for tokenizers that have no chat template.
_AROUND = {"t5": "$A {eos}", "bart": "{bos} $A {eos}", "bert": "{bos} $A {eos}"}


def write_base(shape: str, folder: Path, tokenizer_folder: Path, *, width: int = 32, tied: bool | None = None) -> Path:
    """Write a model of two layers with random weights, and its tokenizer; return the folder."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    if around := _AROUND.get(shape):
        bos, eos = str(tokenizer.bos_token), str(tokenizer.eos_token)
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=around.format(bos=bos, eos=eos),
            special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in (bos, eos)],
        )
        tokenizer.chat_template = None
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    model = _model(shape, tokenizer, width, tied)
    model.save_pretrained(str(folder))
    return folder


def _model(shape: str, tokenizer: PreTrainedTokenizerBase, width: int, tied: bool | None) -> PreTrainedModel:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    tie = {} if tied is None else {"tie_word_embeddings": tied}
    # Large enough that what a place says depends on what stands before it.
    spread = 0.2 * (32 / width) ** 0.5
    if shape == "llama":
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128, initializer_range=spread,
                **ids, **tie,
            )
        )  # fmt: skip
    if shape == "gemma2":
        return Gemma2ForCausalLM(
            Gemma2Config(
                vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, head_dim=width // 4, max_position_embeddings=128,
                query_pre_attn_scalar=width // 4, initializer_range=spread, **ids, **tie,
            )
        )  # fmt: skip
    if shape == "bloom":
        return BloomForCausalLM(
            BloomConfig(
                vocab_size=len(tokenizer), hidden_size=width, n_layer=2, n_head=4, initializer_range=spread, **ids, **tie
            )
        )  # fmt: skip
    if shape == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(tokenizer), n_embd=width, n_layer=2, n_head=4, n_positions=128,
                initializer_range=spread, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **ids, **tie,
            )
        )  # fmt: skip
    if shape == "t5":
        return T5ForConditionalGeneration(
            T5Config(
                vocab_size=len(tokenizer), d_model=width, d_kv=width // 4, d_ff=2 * width, num_layers=2, num_heads=4,
                dropout_rate=0.0, decoder_start_token_id=ids["pad_token_id"], **ids, **tie,
            )
        )  # fmt: skip
    if shape == "bart":
        return BartForConditionalGeneration(
            BartConfig(
                vocab_size=len(tokenizer), d_model=width, encoder_layers=2, decoder_layers=2,
                encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=2 * width,
                decoder_ffn_dim=2 * width, max_position_embeddings=128, dropout=0.0, init_std=spread,
                decoder_start_token_id=ids["eos_token_id"], forced_eos_token_id=ids["eos_token_id"], **ids, **tie,
            )
        )  # fmt: skip
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=2 * width, max_position_embeddings=128, initializer_range=spread,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **ids, **tie,
        )
    )  # fmt: skip
