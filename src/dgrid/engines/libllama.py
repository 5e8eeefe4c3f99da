"""llama.cpp's C library inside xllamacpp's extension module, as far as scoring given tokens needs it.

Its server reports log-probabilities only of tokens it chose itself; whoever checks another's answer needs those of
tokens that are given. The structures are those of the release that requirements/run.txt pins; only their first fields
are named, and each ends in spare room, since the library writes the whole. `Library.load` refuses a release whose
defaults do not stand where they are expected. Not safe for several threads at once.
"""

import ctypes
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import numpy as np

SPARE_WORDS: Final = 64
BATCH_TOKENS: Final = 512
LOGITS_HELD_MAX: Final = 1 << 24  # values: at most 64 MiB of them at a time, whatever the vocabulary
DEFAULTS_EXPECTED: Final = (512, 2048, 512, 1)  # n_ctx, n_batch, n_ubatch, n_seq_max of the pinned release
LIBRARY_NAMES: Final = ("*.so", "*.dylib", "*.pyd")


class LibraryError(Exception):
    """The library is missing, is another release, or refuses a model or a text."""


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
SILENT: Final = LogCallback(lambda *_: None)  # what it logs may quote a request
SIGNATURES: Final = {
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
    "llama_log_set": (None, [LogCallback, ctypes.c_void_p]),
    "llama_backend_init": (None, []),
}


def load_library() -> ctypes.CDLL:
    """The library, silenced and started. Raises LibraryError."""
    found = importlib.util.find_spec("xllamacpp")
    if found is None or found.origin is None:
        raise LibraryError("the package xllamacpp is not installed")
    folder = Path(found.origin).parent
    path = next((path for pattern in LIBRARY_NAMES for path in folder.glob(pattern)), None)
    if path is None:
        raise LibraryError("the package xllamacpp holds no library")
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise LibraryError(f"llama.cpp cannot be loaded: {error}") from error
    library.llama_log_set(SILENT, None)
    library.llama_backend_init()
    known = library.llama_context_default_params()
    if (known.n_ctx, known.n_batch, known.n_ubatch, known.n_seq_max) != DEFAULTS_EXPECTED:
        raise LibraryError("this release of llama.cpp lays out its structures differently")
    return library


@dataclass(frozen=True, slots=True)
class Scored:
    """For each given token, in nats: its log-probability, and that of the likeliest token in its place."""

    logprobs: list[float]
    best: list[float]


class Scorer:
    """One model, loaded for scoring. `context` bounds prompt and reply together, in tokens."""

    def __init__(self, library: ctypes.CDLL, path: Path, *, context: int, threads: int = 1) -> None:
        """Raises LibraryError."""
        self._library, self.context = library, context
        self._model = library.llama_model_load_from_file(str(path).encode(), library.llama_model_default_params())
        if not self._model:
            raise LibraryError(f"llama.cpp cannot load {path.name}")
        parameters = library.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
        parameters.n_threads = parameters.n_threads_batch = threads
        self._context = library.llama_init_from_model(self._model, parameters)
        if not self._context:
            library.llama_model_free(self._model)
            raise LibraryError(f"there is no memory for {path.name}")
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self.size: int = library.llama_vocab_n_tokens(self._vocabulary)
        self._batch = batch = library.llama_batch_init(BATCH_TOKENS, 0, 1)
        view = partial(np.ctypeslib.as_array, shape=(BATCH_TOKENS,))
        self._tokens, self._places, self._wanted = view(batch.token), view(batch.pos), view(batch.logits)
        view(batch.n_seq_id)[:] = 1
        for at in range(BATCH_TOKENS):
            batch.seq_id[at][0] = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the memory back; the scorer is of no use afterwards."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._context)
        self._library.llama_model_free(self._model)

    def score(self, prompt: Sequence[int], reply: Sequence[int]) -> Scored:
        """Each reply token's chance to follow what is in front of it. Raises LibraryError."""
        given = (*prompt, *reply)
        if not prompt or not reply or min(given) < 0 or max(given) >= self.size:
            raise LibraryError("prompt and reply need one token each, all of the vocabulary")
        ids = given[:-1]
        if len(ids) > self.context:
            raise LibraryError(f"{len(ids)} tokens do not fit in a context of {self.context}")
        self._library.llama_memory_clear(self._library.llama_get_memory(self._context), False)  # forgotten, not zeroed
        scored = Scored([], [])
        for rows in self._rows(ids, first=len(prompt) - 1):
            done = len(scored.logprobs)
            add_rows(scored, rows, chosen=reply[done : done + len(rows)])
        return scored

    def _rows(self, ids: Sequence[int], *, first: int) -> Iterator[np.ndarray]:
        """Logits (tokens, vocabulary) of the places from `first` on, in pieces that fit in memory."""
        step = max(1, min(BATCH_TOKENS, LOGITS_HELD_MAX // self.size))
        place = 0
        while place < len(ids):
            end = min(place + (BATCH_TOKENS if place + BATCH_TOKENS <= first else step), len(ids))
            self._decode(ids[place:end], place, first=first)
            if (wanted := end - max(place, first)) > 0:
                yield np.ctypeslib.as_array(self._library.llama_get_logits(self._context), (wanted, self.size))
            place = end

    def _decode(self, ids: Sequence[int], place: int, *, first: int) -> None:
        self._batch.n_tokens = count = len(ids)
        self._tokens[:count] = ids
        self._places[:count] = np.arange(place, place + count)
        self._wanted[:count] = self._places[:count] >= first
        if self._library.llama_decode(self._context, self._batch) != 0:
            raise LibraryError("llama.cpp could not read the tokens")


def add_rows(scored: Scored, rows: np.ndarray, *, chosen: Sequence[int]) -> None:
    """Adds the log-softmax of each row at its chosen token and at its best."""
    best = rows.max(axis=1)
    below = rows - best[:, np.newaxis]
    forced = below[np.arange(len(chosen)), list(chosen)]
    total = np.log(np.exp(below, out=below).sum(axis=1, dtype=np.float64))
    scored.logprobs.extend((forced - total).tolist())
    scored.best.extend((-total).tolist())
