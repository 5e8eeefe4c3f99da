"""A small llama: RMSNorm, rotary positions in interleaved pairs, SwiGLU, tied embeddings.

Interleaved pairs are what llama.cpp expects of architecture "llama", so the export needs no permutation. The weights
start with a circuit that copies ("induction": a head of the first layer finds the previous token, one of the second
layer finds what followed the present token before and writes it). Small models take very long to discover it, and
nearly every reply of ours is copied from a text.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5
ROPE_BASE = 1_000_000.0
CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Shape:
    width: int
    layers: int
    heads: int
    hidden: int
    vocabulary: int = 2048


SHAPES = {"nano": Shape(64, 2, 2, 160), "micro": Shape(128, 4, 4, 352), "mini": Shape(192, 4, 6, 512)}

HEAD = 32
STILL = 12
"""the first component of a head whose rotation is slow enough for matching over a whole text"""
MATCHED = HEAD - STILL


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.attention_norm, self.feed_norm = nn.RMSNorm(width, eps=EPSILON), nn.RMSNorm(width, eps=EPSILON)
        self.query, self.key, self.value, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, shape.hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(shape.hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape

        def split(projected: Tensor) -> Tensor:
            return projected.view(batch, length, self.heads, -1)

        def rotated(projected: Tensor) -> Tensor:
            even, odd = split(projected).unflatten(-1, (-1, 2)).unbind(-1)
            return (
                torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
                .flatten(3)
                .transpose(1, 2)
                .to(projected.dtype)
            )

        y = self.attention_norm(x)
        mixed = F.scaled_dot_product_attention(
            rotated(self.query(y)), rotated(self.key(y)), split(self.value(y)).transpose(1, 2), is_causal=True
        )
        x = x + self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        y = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def rotation_rates() -> Tensor:
    """Radians per position of each rotary pair of a head."""
    return ROPE_BASE ** -(torch.arange(HEAD // 2).float() / (HEAD // 2))


def find_previous(block: Block, head: int, *, constant: int, strength: float) -> None:
    """Attention to the token before: a constant query, and a key that is turned by one position."""
    first = head * HEAD
    block.query.weight[first : first + HEAD] = 0.0
    block.key.weight[first : first + HEAD] = 0.0
    turns = rotation_rates()[: STILL // 2]
    block.query.weight[first : first + STILL : 2, constant] = strength
    block.key.weight[first : first + STILL : 2, constant] = strength * turns.cos()
    block.key.weight[first + 1 : first + STILL : 2, constant] = strength * turns.sin()


def find_repeated(block: Block, head: int, content: slice, earlier: slice, *, strength: float) -> None:
    """Attention to places whose previous token is the present one."""
    rows = slice(head * HEAD + STILL, (head + 1) * HEAD)
    block.query.weight[head * HEAD : rows.stop] = 0.0
    block.key.weight[head * HEAD : rows.stop] = 0.0
    block.query.weight[rows, content] = strength * torch.eye(MATCHED)
    block.key.weight[rows, earlier] = strength * torch.eye(MATCHED)


def carry(block: Block, head: int, source: slice, target: slice, *, gain: float) -> None:
    """Moves a part of the stream from the attended place to another part here."""
    size = source.stop - source.start
    rows = slice(head * HEAD, head * HEAD + size)
    block.value.weight[rows, source] = gain**0.5 * torch.eye(size)
    block.output.weight[target, rows] = gain**0.5 * torch.eye(size)


class LanguageModel(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self._initialise()
        angles = torch.outer(torch.arange(CONTEXT).float(), rotation_rates())
        self.register_buffer("cos", angles.cos()[None, :, None], persistent=False)
        self.register_buffer("sin", angles.sin()[None, :, None], persistent=False)

    def _initialise(self) -> None:
        nn.init.normal_(self.embedding.weight, std=self.shape.width**-0.5)
        for matrix in self.matrices():
            nn.init.normal_(matrix, std=0.5 * matrix.shape[1] ** -0.5)
        for block in self.blocks:
            nn.init.zeros_(block.output.weight)
            nn.init.zeros_(block.down.weight)
        with torch.no_grad():
            self._start_copying()

    def _start_copying(self) -> None:
        """Embeddings in a content part, a part for the previous token's content, a constant; then two kinds of heads.

        Scales are such that, at the start, the previous token and a repeated token get nearly all of the attention.
        """
        circuits = 1 if self.shape.width < 128 else 2
        content = 40 if circuits == 1 else 64
        constant = content + circuits * MATCHED
        embedding = self.embedding.weight
        embedding.copy_(0.3 * F.normalize(embedding))
        embedding[:, :content] = F.normalize(torch.randn(len(embedding), content))
        embedding[:, content:constant] = 0.0
        embedding[:, constant] = 0.5
        unit = (self.shape.width / 1.25) ** 0.5
        for circuit in range(circuits):
            earlier = content + circuit * MATCHED
            matched = slice(circuit * MATCHED, (circuit + 1) * MATCHED)
            copied = slice(circuit * HEAD, (circuit + 1) * HEAD)
            find_previous(self.blocks[0], circuit, constant=constant, strength=9 / (0.5 * unit))
            carry(self.blocks[0], circuit, matched, slice(earlier, earlier + MATCHED), gain=1 / unit)
            find_repeated(self.blocks[1], circuit, matched, slice(earlier, earlier + MATCHED), strength=2.2)
            carry(self.blocks[1], circuit, copied, copied, gain=0.5)

    def matrices(self) -> list[nn.Parameter]:
        return [p for p in self.blocks.parameters() if p.dim() == 2]

    def hidden(self, tokens: Tensor) -> Tensor:
        """Token ids (batch, length) to hidden states (batch, length, width)."""
        length = tokens.shape[1]
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos[:, :length], self.sin[:, :length])
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.embedding.weight.T

    def forward(self, tokens: Tensor) -> Tensor:
        return self.logits(self.hidden(tokens))


def save(model: LanguageModel, path: Path, **notes: Any) -> None:
    torch.save({"shape": asdict(model.shape), "weights": model.state_dict(), **notes}, path)


def load(path: Path) -> tuple[LanguageModel, dict[str, Any]]:
    """The model of a checkpoint and the checkpoint's notes."""
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    model = LanguageModel(Shape(**checkpoint.pop("shape")))
    model.load_state_dict(checkpoint.pop("weights"))
    return model, checkpoint
