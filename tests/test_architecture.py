"""ARCHITECTURE.md and the layers in pyproject.toml, held against the tree."""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from tests.test_house_rules import project_files

IGNORED_FILES = {"__init__.py", "py.typed", "__main__.py"}
MAPPED = ("author", "chain", "evaluator", "poq", "settlement")  # packages of more modules than one finds without help


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "ARCHITECTURE.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def layers(root: Path) -> list[list[str]]:
    """Each layer's packages as pyproject.toml writes them, top first."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def packages() -> set[str]:
    """Packages and modules right below src/dgrid, a package with a slash."""
    inside = [name.removeprefix("src/dgrid/") for name in project_files() if name.startswith("src/dgrid/")]
    return {name.split("/")[0] + "/" if "/" in name else name for name in inside} - IGNORED_FILES


def top_folders() -> set[str]:
    return {name.split("/")[0] + "/" for name in project_files() if "/" in name} - {"src/"}


def described(page: str, indent: str) -> dict[str, str]:
    """Names and descriptions in the tree of the page, at one indentation."""
    block = page.split("## The tree")[1].split("```")[1]
    return dict(re.findall(rf"^{indent}([\w.]+/?) +(\S.*)$", block, re.MULTILINE))


def test_every_package_has_its_line_and_every_line_its_package(page: str) -> None:
    lines = set(described(page, "  "))
    assert lines == packages(), f"only described: {lines - packages()}; not described: {packages() - lines}"


def test_every_folder_has_its_line_and_every_line_its_folder(page: str) -> None:
    lines = set(described(page, ""))
    assert lines == top_folders(), f"only described: {lines - top_folders()}; not described: {top_folders() - lines}"


def test_a_layer_in_parentheses_is_one_not_built_yet(layers: list[list[str]]) -> None:
    built = {name.removesuffix("/").removesuffix(".py") for name in packages()}
    optional = {name.strip("()") for name in chain(*layers) if name.startswith("(")}
    assert not optional & built, "take the parentheses off in pyproject.toml"


def test_the_page_states_the_layers_that_are_checked(page: str, layers: list[list[str]]) -> None:
    stated = re.search(r"^`(cli → .* → core)`$", page, re.MULTILINE)
    assert stated
    built = [[name for name in layer if not name.startswith("(")] for layer in layers]
    assert [layer.split(" | ") for layer in stated[1].split(" → ")] == [layer for layer in built if layer]


def test_everything_imported_has_an_init_file(root: Path) -> None:
    bare = [
        name for name in packages() if name.endswith("/") and not (root / "src/dgrid" / name / "__init__.py").exists()
    ]
    assert not bare


@pytest.mark.parametrize("package", MAPPED)
def test_a_packages_first_words_lead_to_each_of_its_modules(root: Path, package: str) -> None:
    folder = root / "src" / "dgrid" / package
    words = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = set(re.findall(r"`(\w+)`", words))
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert named == modules - {"__init__"}, "name each module in backticks, where a reader would look for it"
