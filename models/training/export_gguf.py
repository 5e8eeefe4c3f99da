"""Writes a checkpoint as GGUF.

python export_gguf.py work/micro.pt --tokenizer ../tokenizer.json --name dgrid-micro --out ../dgrid-micro-q8_0.gguf
"""

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import quantize
from torch import Tensor

from chat import TEMPLATE
from model import CONTEXT, EPSILON, ROPE_BASE, LanguageModel, Shape, load

FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
BLOCK_TENSORS = {
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "output": "attn_output",
    "feed_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


def write_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(shape.vocabulary)


def write_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """The vocabulary, merges and chat template. "smollm" names the splitting into words and single digits."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = stored["model"]["vocab"]
    special = {added["id"] for added in stored["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if number in special else gguf.TokenType.NORMAL for number in range(len(tokens))]
    )
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in stored["model"]["merges"]]
    )
    writer.add_bos_token_id(vocabulary["<|endoftext|>"])
    writer.add_pad_token_id(vocabulary["<|endoftext|>"])
    writer.add_eos_token_id(vocabulary["<|im_end|>"])
    writer.add_eot_token_id(vocabulary["<|im_end|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def write_tensor(writer: gguf.GGUFWriter, name: str, tensor: Tensor, file_type: str) -> None:
    """Norms stay 32-bit, matrices get the file's type."""
    values = tensor.detach().float().numpy()
    if values.ndim == 1:
        writer.add_tensor(name, values)
    elif file_type == "f16":
        writer.add_tensor(name, values.astype(np.float16))
    else:
        kind = gguf.GGMLQuantizationType[file_type.upper()]
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)


def write_weights(writer: gguf.GGUFWriter, model: LanguageModel, file_type: str) -> None:
    """All tensors; the output matrix is left out, since it is the embedding."""
    weights = model.state_dict()
    write_tensor(writer, "token_embd.weight", weights["embedding.weight"], file_type)
    write_tensor(writer, "output_norm.weight", weights["norm.weight"], file_type)
    for layer in range(model.shape.layers):
        for ours, theirs in BLOCK_TENSORS.items():
            write_tensor(writer, f"blk.{layer}.{theirs}.weight", weights[f"blocks.{layer}.{ours}.weight"], file_type)


def export(checkpoint: Path, tokenizer: Path, out: Path, *, name: str, file_type: str) -> None:
    model, _ = load(checkpoint)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name(name)
    writer.add_file_type(FILE_TYPES[file_type])
    write_shape(writer, model.shape)
    write_tokenizer(writer, tokenizer)
    write_weights(writer, model, file_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--type", choices=FILE_TYPES, default="q8_0")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.tokenizer, arguments.out, name=arguments.name, file_type=arguments.type)


if __name__ == "__main__":
    main()
