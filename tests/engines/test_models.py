from pathlib import Path

import pytest

from dgrid.core.errors import CheckFailed
from dgrid.engines.catalog import Catalog
from dgrid.engines.models import CONTEXT_DEFAULT, context_of, model_facts

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_a_model_file_says_what_an_offer_needs() -> None:
    model = Catalog.built_in().model("dgrid-nano")
    facts = model_facts(model.path)
    assert facts.digest == model.digest
    assert (facts.context, facts.quantization, facts.template) == (model.entry.context, "q8_0", model.entry.template)
    assert facts.reply_opens_with_space


def test_another_quantization_is_told_apart_and_counts_alike() -> None:
    plain, small = model_facts(MODELS / "dgrid-micro-f16.gguf"), model_facts(MODELS / "dgrid-micro-q8_0.gguf")
    assert (plain.quantization, small.quantization) == ("f16", "q8_0")
    assert plain.digest != small.digest
    assert plain.tokenizer is not None
    assert small.tokenizer is not None
    assert plain.tokenizer.name == small.tokenizer.name


def test_a_file_that_says_nothing_of_its_context_gets_the_usual_one() -> None:
    assert context_of({"general.architecture": "llama"}) == CONTEXT_DEFAULT


def test_what_is_no_model_cannot_be_sold(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed):
        model_facts(tmp_path / "none.gguf")
