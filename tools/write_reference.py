"""Writes docs/reference/errors.md and docs/reference/commands.md from the code they describe.

Run it after changing an error or a command: `.venv/bin/python tools/write_reference.py`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import dgrid
from dgrid.core.errors import DGridError

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

ERRORS_HEAD = """# Errors

Over HTTP an error is OpenAI's object: `{"error": {"message", "type", "param", "code"}}`, with
`availability: {"retryable", "retry_after_ms"}` beside it, `retry-after` on every 429 and 503, and
`x-should-retry: false` where a retry cannot help. On the command line it goes to standard error (with `--json` as
`{"error": {"code", "message", "hint"}}`) and decides the exit code. Errors without a meaning over HTTP have the status
they would have there.

| Code | HTTP status | Exit code | When |
|---|---|---|---|
"""
COMMANDS_HEAD = """# Commands

What `dgrid --help` says, in one page. `--home`, `--json`, `--quiet` and `--version` come before the command.

Exit codes: 0 ok; 1 a check failed, or an unexpected error; 2 usage; 3 the network is unreachable; 4 refused (key, budget,
policy); 5 not found; 6 not yet (the epoch is open); 130 interrupted.

"""


def error_classes() -> list[type[DGridError]]:
    """Every error of the package, after importing all of it."""
    for module in pkgutil.walk_packages(dgrid.__path__, "dgrid."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[DGridError]] = []
    queue: list[type[DGridError]] = [DGridError]
    while queue:
        one = queue.pop(0)
        queue += one.__subclasses__()
        found.append(one)
    return [one for one in found if one.__module__.startswith("dgrid.")]


def meaning(one: type[DGridError]) -> str:
    """The first paragraph of an error's own docstring."""
    text = one.__dict__.get("__doc__") or ""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def errors_page() -> str:
    """One row a code; classes that share a code share the row of the first."""
    rows: dict[str, str] = {}
    for one in error_classes():
        rows.setdefault(one.code, f"| `{one.code}` | {one.status} | {one.exit_code} | {meaning(one)} |")
    return ERRORS_HEAD + "\n".join(rows[code] for code in sorted(rows)) + "\n"


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be run, with the words that lead to it."""
    inside = getattr(command, "commands", {})
    if not inside or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, one in inside.items():
        if not one.hidden:
            yield from leaves(one, (*path, name))


def command_section(path: tuple[str, ...], command: Any) -> str:
    """A command's heading, help and options."""
    shown = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join(("dgrid", *path, *(parameter.make_metavar() for parameter in shown if not parameter.hidden)))
    lines = [f"## dgrid {' '.join(path)}".rstrip(), "", inspect.cleandoc(command.help or "").replace("\b", ""), ""]
    lines += ["```", usage, "```", ""]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    for option in options:
        if option.name != "help" and not option.hidden:
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            lines.append(f"- {names}: {option.help or ''}".rstrip(": "))
    return "\n".join(lines).rstrip() + "\n"


def commands_page() -> str:
    """All commands, in the order of the help."""
    tree = typer.main.get_command(importlib.import_module("dgrid.cli.main").app)
    return COMMANDS_HEAD + "\n".join(command_section(path, command) for path, command in leaves(tree))


def main() -> None:
    """Writes both pages."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    (REFERENCE / "errors.md").write_text(errors_page())
    (REFERENCE / "commands.md").write_text(commands_page())


if __name__ == "__main__":
    main()
