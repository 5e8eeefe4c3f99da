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
    for name in command.list_commands(None) if inside else ():  # in the order of its help
        if not (one := inside[name]).hidden:
            yield from leaves(one, (*path, name))


def _typed(argument: Any) -> str:
    """An argument as a usage line has it: in brackets where it may be left out."""
    name = f"{argument.metavar or argument.name.upper()}{'...' if argument.nargs < 0 else ''}"
    return name if argument.required else f"[{name}]"


def _explained(parameter: Any) -> str:
    """What stands for an argument or an option, as it is typed; what an option takes where it is left out."""
    names = [parameter.metavar or parameter.name.upper()]
    if parameter.param_type_name == "option":
        value = "" if parameter.is_flag else f" {parameter.metavar or parameter.type.name.upper()}"
        names = [f"{name}{value}" for name in (*parameter.opts, *parameter.secondary_opts)]
    return f"- {', '.join(f'`{name}`' for name in names)}: {parameter.help}{_default(parameter)}"


def _default(parameter: Any) -> str:
    """The value that counts where nothing is typed; empty where there is none to name."""
    if parameter.param_type_name != "option" or parameter.is_flag or parameter.default in (None, "", ()):
        return ""
    return (
        f" Default: {parameter.default:g}."
        if isinstance(parameter.default, float)
        else f" Default: {parameter.default}."
    )


def command_section(path: tuple[str, ...], command: Any) -> str:
    """A command's heading, help, arguments and options."""
    shown = [one for one in command.params if not one.hidden and one.name != "help"]
    usage = " ".join(("dgrid", *path, *(_typed(one) for one in shown if one.param_type_name == "argument")))
    lines = [f"## dgrid {' '.join(path)}".rstrip(), "", inspect.cleandoc(command.help or "").replace("\b", ""), ""]
    lines += ["```", usage, "```", ""]
    lines += [_explained(one) for one in shown if one.help]
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
