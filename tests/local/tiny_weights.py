"""Folders of weights with the real classes and the real structure, drawn at random and a few hundred kilobytes large.

What is kept of the real models, so that the code under test needs no switch for tests: a VAE that divides by 8 (sizes
are multiples of 16), a text encoder deep enough for the layers that the pipeline taps, a tokenizer that takes any text.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
import transformers
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
)
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

_TEXT = 16  # how wide the text encoder is; three of its layers go into the transformer side by side
_LATENTS = 4

_QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_CHAT = (
    "{%- for m in messages -%}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
_MISTRAL = ("<unk>", "<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[IMG]")
_MISTRAL_CHAT = (
    "<s>{%- for m in messages -%}[INST]{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}"
    "{%- for part in m['content'] -%}{%- if part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}"
    "{%- endif -%}[/INST]{%- endfor -%}"
)


def save_klein(folder: Path, *, distilled: bool, text_width: int = 3 * _TEXT) -> Path:
    """A small klein, or a small klein base."""
    klein(distilled=distilled, text_width=text_width).save_pretrained(folder)
    return folder


def save_dev(folder: Path) -> Path:
    """A small dev, with a plain tokenizer in the place of its processor for pictures, which needs torchvision."""
    torch.manual_seed(0)
    tokenizer = _mistral_tokenizer()
    text = transformers.Mistral3ForConditionalGeneration(
        transformers.Mistral3Config(
            text_config={
                "model_type": "mistral",
                "num_hidden_layers": 30,
                "sliding_window": None,
                **_text_sizes(tokenizer),
            },
            vision_config={
                "model_type": "pixtral",
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "head_dim": 8,
                "image_size": 64,
                "patch_size": 8,
            },
            image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
            spatial_merge_size=2,
            vision_feature_layer=-1,
        )
    ).eval()
    parts = {"text_encoder": text, "tokenizer": tokenizer, "transformer": _transformer(guided=True), **_rest()}
    Flux2Pipeline(**parts).save_pretrained(folder)
    return folder


def klein(*, distilled: bool, text_width: int = 3 * _TEXT) -> Any:
    """The pipeline itself, as it would be loaded."""
    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    text = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(num_hidden_layers=28, tie_word_embeddings=True, **_text_sizes(tokenizer))
    ).eval()
    transformer = _transformer(guided=False, text_width=text_width)
    return Flux2KleinPipeline(
        text_encoder=text, tokenizer=tokenizer, transformer=transformer, is_distilled=distilled, **_rest()
    )


def _text_sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": _TEXT,
        "intermediate_size": 32,
        "head_dim": 8,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _transformer(*, guided: bool, text_width: int = 3 * _TEXT) -> Any:
    return Flux2Transformer2DModel(
        in_channels=4 * _LATENTS,
        num_layers=1,
        num_single_layers=1,
        num_attention_heads=2,
        attention_head_dim=16,
        axes_dims_rope=(4, 4, 4, 4),
        joint_attention_dim=text_width,
        guidance_embeds=guided,
    ).eval()


def _rest() -> dict[str, Any]:
    vae = AutoencoderKLFlux2(
        latent_channels=_LATENTS,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
    )
    return {"vae": vae.eval(), "scheduler": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)}


def _symbols(specials: tuple[str, ...]) -> dict[str, int]:
    """The special tokens, then one for each byte: any text can be told in these."""
    return {symbol: id for id, symbol in enumerate((*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())))}


def _bytewise(specials: tuple[str, ...]) -> Tokenizer:
    made = Tokenizer(models.BPE(vocab=_symbols(specials), merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in specials])
    return made


def _qwen_tokenizer() -> Any:
    # transformers 5 takes the vocabulary itself, transformers 4 a finished tokenizer.
    takes = inspect.signature(transformers.Qwen2TokenizerFast.__init__).parameters
    how = {"vocab": _symbols(_QWEN), "merges": []} if "vocab" in takes else {"tokenizer_object": _bytewise(_QWEN)}
    made = transformers.Qwen2TokenizerFast(
        **how, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>", model_max_length=4096
    )
    made.chat_template = _QWEN_CHAT
    return made


def _mistral_tokenizer() -> Any:
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_bytewise(_MISTRAL),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        padding_side="left",
        model_max_length=4096,
        model_input_names=["input_ids", "attention_mask"],
    )
    made.chat_template = _MISTRAL_CHAT
    return made


def klein_4b(device: str) -> Any:
    """A klein of the real dimensions, its weights drawn at random on the device itself, in bfloat16."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            tokenizer = _qwen_tokenizer()
            text = transformers.Qwen3ForCausalLM(
                transformers.Qwen3Config(
                    vocab_size=151936,
                    hidden_size=2560,
                    intermediate_size=9728,
                    num_hidden_layers=36,
                    num_attention_heads=32,
                    num_key_value_heads=8,
                    head_dim=128,
                    max_position_embeddings=40960,
                    tie_word_embeddings=True,
                    bos_token_id=None,
                    eos_token_id=tokenizer.eos_token_id,
                    pad_token_id=tokenizer.pad_token_id,
                )
            ).eval()
            transformer = Flux2Transformer2DModel(
                in_channels=128,
                num_layers=5,
                num_single_layers=20,
                num_attention_heads=24,
                attention_head_dim=128,
                joint_attention_dim=7680,
                guidance_embeds=False,
            ).eval()
            vae = AutoencoderKLFlux2().eval()
    finally:
        torch.set_default_dtype(before)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    return Flux2KleinPipeline(
        text_encoder=text, tokenizer=tokenizer, transformer=transformer, vae=vae, scheduler=scheduler, is_distilled=True
    )
