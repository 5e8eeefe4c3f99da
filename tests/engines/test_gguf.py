import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.engines.gguf import NotAModelFileError, Value, read_metadata

MICRO = Path(__file__).resolve().parents[2] / "models" / "dgrid-micro-q8_0.gguf"


def gguf(entries: dict[str, tuple[int, bytes]], *, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    body = b"".join(text(key) + struct.pack("<I", kind) + value for key, (kind, value) in entries.items())
    return magic + struct.pack("<IQQ", version, 0, len(entries)) + body


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def written(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_reads_every_kind_of_value(tmp_path: Path) -> None:
    numbers = struct.pack("<IQ", 4, 3) + struct.pack("<3I", 1, 2, 3)
    words = struct.pack("<IQ", 8, 2) + text("a") + text("é")
    lists = struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 7, 2) + b"\1\0"
    entries = {
        "flag": (7, b"\1"), "size": (10, struct.pack("<Q", 2**40)), "share": (6, struct.pack("<f", 0.5)),
        "name": (8, text("model")), "numbers": (9, numbers), "words": (9, words), "lists": (9, lists),
    }  # fmt: skip
    expected: dict[str, Value] = {
        "flag": True, "size": 2**40, "share": 0.5, "name": "model", "numbers": [1, 2, 3],
        "words": ["a", "é"], "lists": [[True, False]],
    }  # fmt: skip
    assert read_metadata(written(tmp_path, gguf(entries))) == expected


def test_reads_a_built_in_model() -> None:
    metadata = read_metadata(MICRO)
    assert metadata["general.architecture"] == "llama"
    assert metadata["llama.context_length"] == 512
    assert isinstance(metadata["tokenizer.ggml.tokens"], list)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        gguf({}, magic=b"GGML"),
        gguf({}, version=9),
        gguf({"a": (99, b"")}),
        gguf({"a": (8, struct.pack("<Q", 2**62))}),
        gguf({"a": (9, struct.pack("<IQ", 4, 2**62))}),
        gguf({"a": (9, struct.pack("<IQ", 9, 1) * 4 + struct.pack("<IQ", 7, 0))}),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40),
    ],
)
def test_refuses_what_is_no_model_or_states_absurd_lengths(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NotAModelFileError):
        read_metadata(written(tmp_path, data))


@given(cut=st.integers(min_value=0, max_value=50_000))
def test_refuses_a_file_that_is_cut_short(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    whole = MICRO.read_bytes()[:60_000]
    with pytest.raises(NotAModelFileError):
        read_metadata(written(tmp_path_factory.mktemp("cut"), whole[: min(cut, 30_000)]))
