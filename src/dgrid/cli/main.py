"""`dgrid`: the root of the command line, its global flags, and how it ends."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dgrid import __version__
from dgrid.cli import asking, cases, chain, delegating, governing, money, network, operating, quality, receipts, roles
from dgrid.cli.terminal import Terminal, home_path, report
from dgrid.core.errors import DGridError, UsageError

INTERRUPTED = 130
FLAGS = ("--json", "--quiet")

HELP = """
A decentralized AI inference network: ask, route, run, settle, verify.

Start a network on this machine, ask it, and check what it did:

    dgrid up --detach
    dgrid chat "Tim plays the cello. Which instrument does Tim play?"
    dgrid receipts
    dgrid audit --epoch 1

Exit codes: 0 ok, 1 a check failed, 2 usage, 3 network unreachable, 4 refused, 5 not found, 6 not yet, 130 interrupted.
"""

PANELS = {
    "A network on this machine": ("up", "down", "status", "wait", "doctor"),
    "Ask": ("chat", "connect", "models", "nodes"),
    "Check what was done": ("receipts", "verify", "audit", "proof", "cases", "evaluators"),
    "Pay and be paid": ("wallet", "claim", "channel"),
    "Stake": (
        *("stake", "unstake", "unjail", "exit"),
        *("delegate", "undelegate", "delegations", "commission", "reward"),
    ),
    "Run a role": ("new", "node", "gateway", "evaluator", "author", "watch", "settler", "archive", "chain"),
    "Vote": ("gov",),
}

PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}


def _plain(parameters: Any) -> Any:
    """Parameters whose flags are shown in help as words that take no value."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def _show_flags_plainly(command: Any) -> None:
    """The same for a command and all under it."""
    _plain(command.get_params(typer.Context(command)))
    for inside in getattr(command, "commands", {}).values():
        _show_flags_plainly(inside)


class Root(TyperGroup):
    """The commands in the order of their panels, the most used first."""

    def list_commands(self, ctx: Any) -> list[str]:
        placed = list(PANEL_OF)
        return sorted(self.commands, key=placed.index)

    def get_params(self, ctx: Any) -> Any:
        return _plain(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command: Any = super().get_command(ctx, cmd_name)
        if command is not None:
            command.rich_help_panel = PANEL_OF[cmd_name]
            _show_flags_plainly(command)
        return command


app = typer.Typer(
    name="dgrid",
    cls=Root,
    help=HELP,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for part in (network, asking, receipts, quality, cases, money, operating, delegating, governing, roles, chain):
    part.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dgrid {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The network's folder. Else $DGRID_HOME, the nearest .dgrid upward, ~/.dgrid."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, and errors as JSON.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result alone.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Terminal(home_path(home), json, quiet)
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; its exit code."""
    ordered = flags_first(arguments)
    as_json = "--json" in ordered[: _count_flags(ordered)]
    try:
        code = app(ordered, standalone_mode=False)
    except DGridError as error:
        return report(error, as_json=as_json)
    except typer.TyperException as error:
        if not error.format_message() and not as_json:  # a group without a command: its help was shown
            return UsageError.exit_code
        return report(_usage(error), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 the outer edge: a fault of ours, shown whole unless a program asks
        if not as_json:
            traceback.print_exc()
        return report(DGridError(f"{type(error).__name__}: {error}", hint="this is a fault of dgrid"), as_json=as_json)
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "dgrid"
    message = error.format_message().removeprefix("Invalid value: ") or "a command is missing"
    return UsageError(message, hint=f"`{command} --help` shows what can be typed")


def flags_first(arguments: Sequence[str]) -> list[str]:
    """The global flags moved to the front: they may stand anywhere before `--`."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    flags, others, waiting = [], [], list(arguments[:end])
    while waiting:
        word = waiting.pop(0)
        if word in FLAGS or word.startswith("--home="):
            flags.append(word)
        elif word == "--home" and waiting:
            flags += [word, waiting.pop(0)]
        else:
            others.append(word)
    return [*flags, *others, *arguments[end:]]


def _count_flags(ordered: Sequence[str]) -> int:
    at = 0
    while at < len(ordered) and (ordered[at] in FLAGS or ordered[at].startswith("--home")):
        at += 2 if ordered[at] == "--home" else 1
    return at
