"""The documents say what is there, and what is there is in the documents."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
from tests.test_house_rules import project_files, python_files, text_of, tree_of
from tools.write_reference import commands_page, leaves

from dgrid.core.errors import DGridError

ROOT = Path(__file__).resolve().parent.parent
PAGES = tuple(name for name in project_files() if name.endswith(".md") and not name.startswith("models/training/"))
REFERENCE = "docs/reference/"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)!?\[[^\]]*\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`([^`\n]+)`")
PROMPT = re.compile(r"^(?:\$ |> )?((?:\S*/)?(?:dgrid|make)(?: .*)?)$")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line that a page shows, and where."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """The command itself: up to a comment, a pipe or the next command."""
        return re.split(r"\s+#|[|;&>]", self.line)[0].replace('"', " ").replace("'", " ").split()


def shown_commands() -> Iterator[Typed]:
    """Command lines in fenced blocks, and those that stand as code in a sentence."""
    for page in PAGES:
        text = text_of(page)
        blocks = [body for language, body in FENCE.findall(text) if language in {"", "sh", "bash", "console", "shell"}]
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        spans = CODE_SPAN.findall(FENCE.sub("", text))
        for line in (*lines, *spans):
            if found := PROMPT.match(line):
                yield Typed(page, found[1])


@cache
def command_tree() -> Any:
    """The command line as the parser sees it."""
    return typer.main.get_command(importlib.import_module("dgrid.cli.main").app)


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def problem(words: list[str]) -> str:
    """What is wrong with a shown `dgrid` command line; empty where it could be typed."""
    command, known = command_tree(), options(command_tree())
    for word in words[1:]:
        inside = getattr(command, "commands", {})
        if word in inside:
            command = inside[word]
            known |= options(command)
        elif word.startswith("--") and word.split("=")[0] not in known:
            return f"no option {word}"
        elif inside and re.fullmatch(r"[a-z][a-z-]+", word) and not is_value(words, word):
            return f"no command {word}"
    return ""


def is_value(words: list[str], word: str) -> bool:
    """Whether a word follows an option, and so may be its value."""
    return words[words.index(word) - 1].startswith("-")


def error_classes() -> set[type[DGridError]]:
    """The whole tree, wherever its branches are declared."""
    names = {"DGridError"} | {
        node.name for node in tree_of("src/dgrid/core/errors.py").body if isinstance(node, ast.ClassDef)
    }
    for name in python_files("src/dgrid/"):
        bases = {
            b.id
            for n in ast.walk(tree_of(name))
            if isinstance(n, ast.ClassDef)
            for b in n.bases
            if isinstance(b, ast.Name)
        }
        if bases & names:
            importlib.import_module(
                name.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )
    found, queue = set(), [DGridError]
    while queue:
        queue += (one := queue.pop()).__subclasses__()
        found.add(one)
    return {one for one in found if one.__module__.startswith("dgrid.")}


def reference() -> str:
    return "\n".join(text_of(page) for page in PAGES if page.startswith(REFERENCE))


def anchors(page: str) -> set[str]:
    """The fragments that a page's headings give."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: str, target: str) -> bool:
    """Whether a link within the project leads nowhere."""
    if re.match(r"[a-z]+:", target):
        return False
    path, _, fragment = target.partition("#")
    goal = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
    if not goal.exists():
        return True
    return bool(fragment) and goal.suffix == ".md" and fragment not in anchors(str(goal.relative_to(ROOT)))


def test_every_link_leads_somewhere() -> None:
    links = [(page, target) for page in PAGES for target in LINK.findall(FENCE.sub("", text_of(page)))]
    assert links
    assert not [f"{page}: {target}" for page, target in links if broken(page, target)]


def test_every_shown_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    shown = [(one.page, word) for one in shown_commands() if one.words[:1] == ["make"] for word in one.words[1:]]
    unknown = [f"{page}: make {word}" for page, word in shown if "=" not in word and word not in targets]
    assert not unknown


def test_every_shown_command_can_be_typed() -> None:
    wrong = {
        f"{one.page}: {one.line}": found
        for one in shown_commands()
        if one.words and one.words[0].split("/")[-1] == "dgrid" and (found := problem(one.words))
    }
    assert not wrong


def test_every_command_and_option_is_in_the_reference() -> None:
    text = reference()
    missing = [
        " ".join(("dgrid", *path)) for path, _ in leaves(command_tree()) if f"dgrid {' '.join(path)}" not in text
    ]
    for path, command in leaves(command_tree()):
        missing += [f"dgrid {' '.join(path)} {o}" for o in options(command) if o.startswith("--") and o not in text]
    assert not missing


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    """`tools/write_reference.py` writes it."""
    assert text_of(f"{REFERENCE}commands.md") == commands_page()


def test_every_error_code_is_in_the_reference_and_no_other() -> None:
    codes = {one.code for one in error_classes()}
    table = set(re.findall(r"^\| `([a-z_]+)` \|", text_of(f"{REFERENCE}errors.md"), re.MULTILINE))
    assert table == codes, f"undocumented: {codes - table}; only documented: {table - codes}"


def test_the_reference_gives_each_error_its_status_and_exit_code() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (\d+ \| \d+) \|", text_of(f"{REFERENCE}errors.md"), re.MULTILINE))
    assert rows == {one.code: f"{one.status} | {one.exit_code}" for one in error_classes()}


def test_every_test_that_a_page_names_exists() -> None:
    named = {span for page in PAGES for span in CODE_SPAN.findall(text_of(page)) if re.fullmatch(r"test_\w+", span)}
    there = {
        node.name
        for file in python_files("tests/")
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.FunctionDef)
    }
    laws = (ROOT / "contracts" / "test").glob("*.sol")
    there |= {name for file in laws for name in re.findall(r"function (test_\w+)", file.read_text(encoding="utf-8"))}
    assert len(named) > 10
    assert named <= there, named - there


def test_every_challenge_has_a_test_that_shows_it_won() -> None:
    rows = re.findall(
        r"^\| ([\d, ]+)[^|]*\|[^|]+\| `test_\w+` \|$", text_of("docs/guides/run-a-watcher.md"), re.MULTILINE
    )
    numbers = {int(number) for row in rows for number in re.findall(r"\d+", row)}
    assert len(numbers) > 6
    assert numbers == set(range(1, max(numbers) + 1))


def test_shown_python_is_python() -> None:
    snippets = [
        body for page in PAGES for language, body in FENCE.findall(text_of(page)) if language in {"python", "py"}
    ]
    for snippet in snippets:
        ast.parse(snippet)
