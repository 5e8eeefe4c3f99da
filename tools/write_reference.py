"""Writes docs/reference/commands.md from the commands themselves.

Run it after changing a command: `.venv/bin/python tools/write_reference.py`.
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

COMMANDS_HEAD = """# Commands

What `dgrid --help` says, in one page. `--home`, `--json` and `--quiet` may stand anywhere in a line.

Exit codes: 0 ok; 1 a check failed, or an unexpected error; 2 usage; 3 the network is unreachable; 4 refused (key,
budget, policy); 5 not found; 6 not yet (the epoch is open); 130 interrupted.

"""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be run, with the words that lead to it."""
    inside = getattr(command, "commands", {})
    if not inside or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, one in inside.items():
        if not one.hidden:
            yield from leaves(one, (*path, name))


def _typed(argument: Any) -> str:
    """An argument as a usage line has it: in brackets where it may be left out."""
    name = argument.metavar or argument.name.upper()
    return str(name if argument.required else f"[{name}]")


def command_section(path: tuple[str, ...], command: Any) -> str:
    """A command's heading, help and options."""
    shown = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    arguments = [_typed(parameter) for parameter in shown if not parameter.hidden]
    usage = " ".join(("dgrid", *path, *arguments))
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
    """Writes the page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    (REFERENCE / "commands.md").write_text(commands_page())


if __name__ == "__main__":
    main()
