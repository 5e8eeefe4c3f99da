"""The models that come with the project: which file, whose digest, at what price.

The catalogue is a JSON list that lies beside the files. It is found in a checkout and in an installed package, and
it vouches for nothing by itself: `BuiltInModel.check` compares a file with its digest before anyone serves it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import msgspec

from dgrid.core.errors import CheckFailed, ModelNotFound
from dgrid.core.keccak import RunningHash
from dgrid.engines.tokenizers import Tokenizer, load_tokenizer

PACKAGE: Final = Path(__file__).resolve().parent.parent
PLACES: Final = (PACKAGE / "models", PACKAGE.parent.parent / "models")  # an installed package, a checkout
CATALOG_NAME: Final = "catalog.json"
READ_BYTES: Final = 1 << 20


class CatalogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One model as the catalogue states it. Prices are wei per million tokens, as decimal strings or whole numbers."""

    id: str
    file: str
    digest: str  # 0x keccak of the file
    quantization: str
    context: int
    template: str
    in_price_wei: str | int
    out_price_wei: str | int
    quality: float | None = None  # the share of held-out items answered exactly, where it was measured


@dataclass(frozen=True)
class BuiltInModel:
    """A catalogue entry and where its file lies."""

    entry: CatalogEntry
    folder: Path

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def path(self) -> Path:
        return self.folder / self.entry.file

    @property
    def in_price_wei(self) -> int:
        return int(self.entry.in_price_wei)

    @property
    def out_price_wei(self) -> int:
        return int(self.entry.out_price_wei)

    @cached_property
    def digest(self) -> bytes:
        return bytes.fromhex(self.entry.digest.removeprefix("0x"))

    def check(self) -> None:
        """Raises CheckFailed when the file is not the one the catalogue names."""
        if file_digest(self.path) != self.digest:
            raise CheckFailed(
                f"{self.path.name} is not the file that the catalogue names", hint="restore it from the release"
            )


@dataclass(frozen=True, slots=True)
class Catalog:
    """All built-in models, in the catalogue's order."""

    models: tuple[BuiltInModel, ...]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The catalogue in `folder`. Raises CheckFailed when there is none, or none that can be read."""
        try:
            entries = msgspec.json.decode((folder / CATALOG_NAME).read_bytes(), type=list[CatalogEntry])
        except (OSError, ValueError) as error:
            raise CheckFailed(f"no catalogue of models in {folder}: {error}") from error
        if any(Path(entry.file).name != entry.file for entry in entries):
            raise CheckFailed("the catalogue names a file outside its folder")
        return cls(tuple(BuiltInModel(entry, folder) for entry in entries))

    @classmethod
    def built_in(cls) -> Self:
        """The catalogue that came with this copy of the project. Raises CheckFailed where it is missing."""
        for folder in PLACES:
            if (folder / CATALOG_NAME).is_file():
                return cls.load(folder)
        raise CheckFailed(
            "the built-in models are missing", hint="they lie in models/ of a checkout, or in the installed package"
        )

    def tokenizers(self) -> dict[str, Tokenizer]:
        """The built-in models' tokenizers, by their own names and by the models': what a gateway counts with."""
        found = [(model.id, load_tokenizer(model.path)) for model in self.models]
        by_model = {model_id: tokenizer for model_id, tokenizer in found if tokenizer is not None}
        return by_model | {tokenizer.name: tokenizer for tokenizer in by_model.values()}

    def model(self, model_id: str) -> BuiltInModel:
        """Raises ModelNotFound."""
        for model in self.models:
            if model.id == model_id:
                return model
        raise ModelNotFound(
            f"no built-in model is called {model_id}", hint="one of " + ", ".join(model.id for model in self.models)
        )


def file_digest(path: Path) -> bytes:
    """The keccak of a file of any size. Raises OSError."""
    digest = RunningHash(b"")
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.digest()
