"""What a model file says of itself: the facts that an offer states and an engine is started with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dgrid.core.errors import CheckFailed
from dgrid.engines.catalog import file_digest
from dgrid.engines.gguf import NotAModelFileError, Value, read_metadata
from dgrid.engines.tokenizers import Tokenizer, tokenizer_of

CONTEXT_DEFAULT: Final = 4096
FILE_TYPES: Final[Mapping[int, str]] = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k", 11: "q3_k_s", 12: "q3_k_m",
    13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m", 18: "q6_k", 32: "bf16",
}  # fmt: skip
"""llama.cpp's numbers for how most of a file's tensors are stored."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One GGUF file. `context` in tokens, as trained; `template` is "chatml", or "custom" for one not known here."""

    path: Path
    digest: bytes
    context: int
    quantization: str
    template: str
    tokenizer: Tokenizer | None

    @property
    def reply_opens_with_space(self) -> bool:
        return self.tokenizer is not None and self.tokenizer.reply_opening == " "


def model_facts(path: Path) -> ModelFacts:
    """The facts of a GGUF file; reads the whole of it for the digest. Raises CheckFailed when it is none."""
    try:
        metadata = read_metadata(path)
        digest = file_digest(path)
    except (NotAModelFileError, OSError) as error:
        raise CheckFailed(f"{path} cannot be served: {error}", hint="give the path of a GGUF file") from error
    tokenizer = tokenizer_of(metadata)
    known = tokenizer is not None and tokenizer.template is not None
    quantization = FILE_TYPES.get(whole(metadata.get("general.file_type"), otherwise=-1), "unknown")
    template = "chatml" if known else "custom"
    return ModelFacts(path, digest, context_of(metadata), quantization, template, tokenizer)


def context_of(metadata: Mapping[str, Value]) -> int:
    """How many tokens the model was trained to hold."""
    return whole(metadata.get(f"{metadata.get('general.architecture')}.context_length"), otherwise=CONTEXT_DEFAULT)


def whole(value: object, *, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
