"""Scores a given reply under a model with one prefill: log-probability and rank of every token.

llama-server reports log-probabilities only of tokens it generates itself; a verifier needs those of another node's
reply. The extension module of xllamacpp exports libllama's C functions, so ctypes can call them. The structures below
are those of the llama.cpp release in xllamacpp 2026.10.11549; only their first fields are named, and each ends in
spare room, since libllama writes the whole structure. Pin the package: another release may order the fields
differently. Not safe for use by several threads at once.

    scorer = Scorer(Path("dgrid-micro-q8_0.gguf"))
    scorer.score(scorer.tokens(prompt), scorer.tokens(reply))
"""

import argparse
import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPARE_WORDS = 64


class ModelParameters(ctypes.Structure):
    """llama_model_params, passed through unchanged."""

    _fields_ = (("opaque", ctypes.c_uint64 * SPARE_WORDS),)


class ContextParameters(ctypes.Structure):
    """llama_context_params."""

    _fields_ = (
        ("n_ctx", ctypes.c_uint32),
        ("n_batch", ctypes.c_uint32),
        ("n_ubatch", ctypes.c_uint32),
        ("n_seq_max", ctypes.c_uint32),
        ("n_rs_seq", ctypes.c_uint32),
        ("n_outputs", ctypes.c_uint32),
        ("n_outputs_max", ctypes.c_uint32),
        ("n_threads", ctypes.c_int32),
        ("n_threads_batch", ctypes.c_int32),
        ("opaque", ctypes.c_uint64 * SPARE_WORDS),
    )


class Batch(ctypes.Structure):
    """llama_batch."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
SIGNATURES = {
    "llama_model_default_params": (ModelParameters, []),
    "llama_context_default_params": (ContextParameters, []),
    "llama_model_load_from_file": (ctypes.c_void_p, [ctypes.c_char_p, ModelParameters]),
    "llama_model_free": (None, [ctypes.c_void_p]),
    "llama_init_from_model": (ctypes.c_void_p, [ctypes.c_void_p, ContextParameters]),
    "llama_free": (None, [ctypes.c_void_p]),
    "llama_batch_init": (Batch, [ctypes.c_int32] * 3),
    "llama_batch_free": (None, [Batch]),
    "llama_decode": (ctypes.c_int32, [ctypes.c_void_p, Batch]),
    "llama_get_logits": (ctypes.POINTER(ctypes.c_float), [ctypes.c_void_p]),
    "llama_get_memory": (ctypes.c_void_p, [ctypes.c_void_p]),
    "llama_memory_clear": (None, [ctypes.c_void_p, ctypes.c_bool]),
    "llama_model_get_vocab": (ctypes.c_void_p, [ctypes.c_void_p]),
    "llama_vocab_n_tokens": (ctypes.c_int32, [ctypes.c_void_p]),
    "llama_tokenize": (
        ctypes.c_int32,
        [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int32,
            ctypes.POINTER(ctypes.c_int32),
            ctypes.c_int32,
            ctypes.c_bool,
            ctypes.c_bool,
        ],
    ),
    "llama_log_set": (None, [LogCallback, ctypes.c_void_p]),
    "llama_backend_init": (None, []),
}
SILENT = LogCallback(lambda *_: None)


def load_library() -> ctypes.CDLL:
    """libllama inside xllamacpp's extension module, silenced and started."""
    found = importlib.util.find_spec("xllamacpp")
    if found is None or found.origin is None:
        raise SystemExit("xllamacpp is not installed")
    library = ctypes.CDLL(
        str(next(path for pattern in ("*.so", "*.dylib", "*.pyd") for path in Path(found.origin).parent.glob(pattern)))
    )
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.llama_log_set(SILENT, None)
    library.llama_backend_init()
    return library


@dataclass(frozen=True, slots=True)
class Score:
    """One value per token of the reply. ``entropy`` is that of the model's distribution at the token, in nats."""

    logprobs: np.ndarray
    ranks: np.ndarray
    entropy: np.ndarray


class Scorer:
    """A model loaded for scoring. ``context`` limits prompt and reply together, in tokens."""

    def __init__(self, path: Path, *, threads: int = 1, context: int = 512) -> None:
        self.library = load_library()
        self.context_tokens = context
        self.model = self.library.llama_model_load_from_file(
            str(path).encode(), self.library.llama_model_default_params()
        )
        if not self.model:
            raise ValueError(f"not a model that llama.cpp can load: {path}")
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = self.library.llama_init_from_model(self.model, parameters)
        self.vocabulary = self.library.llama_model_get_vocab(self.model)
        self.size = self.library.llama_vocab_n_tokens(self.vocabulary)
        self.batch = self.library.llama_batch_init(context, 0, 1)

    def close(self) -> None:
        self.library.llama_batch_free(self.batch)
        self.library.llama_free(self.context)
        self.library.llama_model_free(self.model)

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text in which the special tokens are written out."""
        raw = text.encode()
        buffer = (ctypes.c_int32 * (len(raw) + 8))()
        count = self.library.llama_tokenize(self.vocabulary, raw, len(raw), buffer, len(buffer), False, True)
        return list(buffer[:count])

    def logits(self, prompt: list[int], reply: list[int]) -> np.ndarray:
        """The logits (reply tokens, vocabulary) from which each reply token would have been chosen."""
        if not prompt or not reply:
            raise ValueError("prompt and reply need at least one token each")
        ids = prompt + reply[:-1]
        if len(ids) > self.context_tokens:
            raise ValueError(f"{len(ids)} tokens do not fit in a context of {self.context_tokens}")
        self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        self._fill(ids, first_scored=len(prompt) - 1)
        if self.library.llama_decode(self.context, self.batch) != 0:
            raise RuntimeError("llama_decode failed")
        return np.ctypeslib.as_array(self.library.llama_get_logits(self.context), (len(reply), self.size)).copy()

    def _fill(self, ids: list[int], *, first_scored: int) -> None:
        self.batch.n_tokens = len(ids)
        for position, token in enumerate(ids):
            self.batch.token[position] = token
            self.batch.pos[position] = position
            self.batch.n_seq_id[position] = 1
            self.batch.seq_id[position][0] = 0
            self.batch.logits[position] = int(position >= first_scored)

    def score(self, prompt: list[int], reply: list[int]) -> Score:
        values = self.logits(prompt, reply).astype(np.float64)
        values -= values.max(axis=1, keepdims=True)
        logprobs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        chosen = logprobs[np.arange(len(reply)), reply]
        return Score(chosen, (logprobs > chosen[:, None]).sum(axis=1), -(np.exp(logprobs) * logprobs).sum(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("user", help="the user's message")
    parser.add_argument("reply", help="the reply to score")
    arguments = parser.parse_args()
    scorer = Scorer(arguments.model)
    reply = scorer.tokens(f" {arguments.reply}<|im_end|>")
    score = scorer.score(scorer.tokens(f"<|im_start|>user\n{arguments.user}<|im_end|>\n<|im_start|>assistant\n"), reply)
    for token, logprob, rank in zip(reply, score.logprobs, score.ranks, strict=True):
        print(f"{token:6d}  {logprob:9.4f}  rank {rank}")
    scorer.close()


if __name__ == "__main__":
    main()
