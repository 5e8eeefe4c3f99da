from pathlib import Path

import msgspec
import pytest

from dgrid.core.errors import CheckFailed, ModelNotFound
from dgrid.core.keccak import keccak
from dgrid.engines.catalog import Catalog, file_digest
from dgrid.engines.tokenizers import load_tokenizer

ENTRY = {
    "id": "tiny", "file": "tiny.gguf", "digest": "0x" + keccak(b"weights").hex(), "quantization": "q8_0",
    "context": 512, "template": "chatml-spaced", "in_price_wei": "100", "out_price_wei": 200,
}  # fmt: skip


def catalog(folder: Path, **changes: object) -> Catalog:
    (folder / "catalog.json").write_bytes(msgspec.json.encode([{**ENTRY, **changes}]))
    return Catalog.load(folder)


def test_names_file_digest_and_prices(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"weights")
    model = catalog(tmp_path).model("tiny")
    assert (model.path, model.in_price_wei, model.out_price_wei) == (tmp_path / "tiny.gguf", 100, 200)
    assert model.digest == file_digest(model.path)
    model.check()


def test_another_file_in_the_models_place_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"other weights")
    with pytest.raises(CheckFailed):
        catalog(tmp_path).model("tiny").check()


def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        catalog(tmp_path).model("huge")
    assert "tiny" in caught.value.hint


@pytest.mark.parametrize("change", [{"file": "../tiny.gguf"}, {"context": "wide"}, {"id": None}])
def test_a_malformed_catalogue_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(CheckFailed):
        catalog(tmp_path, **change)


def test_a_missing_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed):
        Catalog.load(tmp_path)


def test_the_built_in_models_are_whole_and_their_tokens_can_be_counted() -> None:
    built_in = Catalog.built_in()
    assert {model.id for model in built_in.models} >= {"dgrid-nano", "dgrid-micro", "dgrid-mini"}
    for model in built_in.models:
        model.check()
        tokenizer = load_tokenizer(model.path)
        assert tokenizer is not None
        assert built_in.tokenizers()[tokenizer.name].count_text("Maria") == tokenizer.count_text("Maria")
