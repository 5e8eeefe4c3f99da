"""Leaves one layer of a checkpoint out, for a smaller model that knows most of what the larger one knew.

    python prune.py work/micro.pt --layer 2 --out work/micro-pruned.pt
    python train.py micro --minutes 1 --start work/micro-pruned.pt --rate 0.3 --tokenizer ../tokenizer.json --out work/m

Of micro's four layers the third can be missed most easily: without it two thirds of the questions about a text are
still answered, and a minute of training brings back the rest of what was known. Refuses models of one layer.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from model import LanguageModel, load, save

BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")


def without(model: LanguageModel, layer: int) -> LanguageModel:
    """The model with its other layers in their order."""
    if not 0 <= layer < model.shape.layers or model.shape.layers == 1:
        raise SystemExit(f"there is no layer {layer} to leave out of {model.shape.layers}")
    pruned = LanguageModel(replace(model.shape, layers=model.shape.layers - 1))
    weights = (kept(name, tensor, layer) for name, tensor in model.state_dict().items())
    pruned.load_state_dict(dict(pair for pair in weights if pair is not None))
    return pruned


def kept(name: str, tensor: Tensor, layer: int) -> tuple[str, Tensor] | None:
    """A weight under its new name, or nothing for one of the layer that goes."""
    found = BLOCK.fullmatch(name)
    if found is None:
        return name, tensor
    number = int(found[1])
    return None if number == layer else (f"blocks.{number - (number > layer)}.{found[2]}", tensor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--layer", type=int, required=True, help="which one to leave out, from 0")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    model, _ = load(arguments.checkpoint)
    save(without(model, arguments.layer), arguments.out)


if __name__ == "__main__":
    main()
