"""Reads a GGUF file of ours back into a checkpoint.

    python import_gguf.py ../dgrid-mini-q8_0.gguf --out work/mini.pt

For training to go on where only the exported file was kept. The optimizers' state is not in the file, and q8_0 has
rounded the weights (to 1/127 of the largest of each 32): both are made good within the first hundred steps. Refuses
files of another architecture or context.
"""

import argparse
from pathlib import Path

import gguf
import torch
from gguf.quants import dequantize

from export_gguf import BLOCK_TENSORS
from model import CONTEXT, LanguageModel, Shape, save


def field(reader: gguf.GGUFReader, name: str) -> int:
    """One whole number of the file's header."""
    found = reader.get_field(name)
    if found is None:
        raise SystemExit(f"the file does not say {name}")
    return int(found.contents())


def shape_of(reader: gguf.GGUFReader) -> Shape:
    if field(reader, "llama.context_length") != CONTEXT:
        raise SystemExit("not one of DGrid's built-in models")
    return Shape(
        width=field(reader, "llama.embedding_length"),
        layers=field(reader, "llama.block_count"),
        heads=field(reader, "llama.attention.head_count"),
        hidden=field(reader, "llama.feed_forward_length"),
        vocabulary=field(reader, "llama.vocab_size"),
    )


def names(layers: int) -> dict[str, str]:
    """GGUF's tensor names and ours."""
    found = {"token_embd.weight": "embedding.weight", "output_norm.weight": "norm.weight"}
    for layer in range(layers):
        for ours, theirs in BLOCK_TENSORS.items():
            found[f"blk.{layer}.{theirs}.weight"] = f"blocks.{layer}.{ours}.weight"
    return found


def read(path: Path) -> LanguageModel:
    """The network that the file holds."""
    reader = gguf.GGUFReader(path)
    shape = shape_of(reader)
    model = LanguageModel(shape)
    ours = names(shape.layers)
    weights = {
        ours[tensor.name]: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        for tensor in reader.tensors
    }
    model.load_state_dict(weights)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save(read(arguments.file), arguments.out)


if __name__ == "__main__":
    main()
