"""Commands that run one role, such as `dgrid node run` or `dgrid watch run`. The supervisor uses the same door."""

from pathlib import Path
from typing import Annotated

import typer

from dgrid.cli.terminal import Terminal

ConfigFile = Annotated[Path, typer.Option("--config", help="The role's TOML file.")]
Dev = Annotated[bool, typer.Option("--dev", help="Fund, stake and register itself; on the dev chain only.")]


def register(app: typer.Typer) -> None:
    """Adds a group for each role."""
    for name, what in (
        ("gateway", "the clients' door: admits, routes, verifies, bills"),
        ("settler", "anchors epochs and collects"),
        ("archive", "keeps epoch blobs and serves them by content id"),
        ("evaluator", "judges drawn answers, commits to its reports, signs what a round comes to"),
        ("author", "asks what it knows the answers to, and opens them when judging is over"),
    ):
        app.add_typer(_group(name, what), name=name)
    what = "recomputes what gateways anchor and proves to the contracts what is wrong"
    app.add_typer(_group("watcher", what), name="watch")
    app.add_typer(_node_group(), name="node")


def _group(kind: str, what: str) -> typer.Typer:
    group = typer.Typer(help=f"One {kind}: {what}.", no_args_is_help=True)

    def run(*, config: ConfigFile, dev: Dev = False) -> None:
        from dgrid.processes.roles import run_role

        run_role(kind, config, dev=dev)

    run.__doc__ = f"""Run one {kind} until it is told to stop (SIGTERM or Ctrl-C).

    Example: `dgrid {"watch" if kind == "watcher" else kind} run --config .dgrid/config/{kind}-1.toml --dev`
    """
    group.command("run")(run)
    group.callback()(lambda: None)
    return group


def _node_group() -> typer.Typer:
    group = typer.Typer(help="One node: runs an engine, meters it, signs what it did.", no_args_is_help=True)
    group.command("run")(run_node)
    group.callback()(lambda: None)
    return group


def run_node(  # noqa: PLR0913 one for each flag
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option("--config", help="The node's TOML file.")] = None,
    model: Annotated[str, typer.Option(help="A model's name: a built-in one, or what the engine calls it.")] = "",
    engine_url: Annotated[str, typer.Option(help="Any OpenAI-speaking engine, such as Ollama or vLLM.")] = "",
    network_url: Annotated[str, typer.Option(help="A gateway to learn the network from, for a machine apart.")] = "",
    listen: Annotated[str, typer.Option(help="HOST:PORT where gateways reach it.")] = "127.0.0.1:0",
    dev: Dev = False,
) -> None:
    """Run one node until it is told to stop.

    With --config it is the node of that file. With --model it is a new node on this machine: it gets a key, a folder
    and a configuration in the home, and keeps them. The network is the home's, or the one behind --network-url.

    Example: `dgrid node run --model dgrid-nano --dev`

    Example: `dgrid node run --model llama3.2 --engine-url http://127.0.0.1:11434/v1 --network-url http://gateway:7420`
    """
    from dgrid.processes.roles import run_role

    terminal: Terminal = context.obj
    if config is None:
        if not model:
            raise typer.BadParameter("give --config FILE, or --model ID")
        from dgrid.cli.wallet_config import network_of
        from dgrid.processes.new_node import NewNode, write_node

        chain = network_of(terminal.home, network_url)
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise typer.BadParameter("--listen takes HOST:PORT; port 0 is a free one")
        config = write_node(terminal.home, NewNode(model, engine_url, host, int(port)), chain=chain)
        terminal.note(f"node       {config.stem}, configured in {config}")
    run_role("node", config, dev=dev)
