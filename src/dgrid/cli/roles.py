"""Commands that run one role, such as `dgrid node run` or `dgrid watch run`. The supervisor uses the same door."""

from pathlib import Path
from typing import Annotated

import typer

from dgrid.cli.terminal import Terminal

ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="The role's TOML file.")]
Dev = Annotated[bool, typer.Option("--dev", help="Fund, stake and register itself; on the dev chain only.")]

NetworkUrl = Annotated[
    str, typer.Option(metavar="URL", help="A gateway to learn the network from, where none runs on this machine.")
]
Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where others reach it; port 0 takes a free one.")]


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
    app.command()(new)


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


def new(
    context: typer.Context,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="evaluator, archive, gateway, settler, author, watch.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it; else the next number of its kind.")] = "",
    network_url: NetworkUrl = "",
    listen: Listen = "127.0.0.1:0",
) -> None:
    """Make a role of your own: a key, a folder and a configuration in the home. Sends nothing; says what comes next.

    Its settings are those of the first of its kind in this home. A node is made by `dgrid node run --model`.

    Example: `dgrid new evaluator`
    """
    from dgrid.cli.operations import least_stake_wei
    from dgrid.cli.terminal import dgai
    from dgrid.cli.wallet_config import network_of
    from dgrid.core.identity import to_hex
    from dgrid.processes.new_role import NewRole, write_role

    terminal: Terminal = context.obj
    host, port = _place(listen)
    chain = network_of(terminal.home, network_url)
    kind = "watcher" if role == "watch" else role
    wanted = NewRole(kind, name, host, port, stake_wei_min=least_stake_wei(chain))
    made = write_role(terminal.home, wanted, chain=chain)
    address = to_hex(made.config.key().address)
    command = f"dgrid {'watch' if kind == 'watcher' else kind} run --config {made.file}"
    command += " --dev" if chain.is_dev else ""
    needs = [f"{dgai(amount)} of {field.removesuffix('_wei')}" for field, amount in made.needs_wei.items()]
    money = f"its key must hold {', '.join([*needs, ''])}{'and ' if needs else ''}some gas money"
    text = [
        f"{made.name} at {made.config.url}, configured in {made.file}",
        f"address    {address}",
        f"money      {money}{'; --dev gives it all' if chain.is_dev else ' before it starts'}",
        f"start      {command}",
    ]
    data = {"name": made.name, "role": kind, "address": address, "url": made.config.url, "config": str(made.file)}
    needs_wei = {field: str(amount) for field, amount in made.needs_wei.items()}
    terminal.show("new", {**data, "needs": needs_wei, "command": command}, text="\n".join(text))


def _place(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter("--listen takes HOST:PORT; port 0 is a free one")
    return host, int(port)


def run_node(  # noqa: PLR0913 one for each flag
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The node's TOML file.")] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A model's name: a built-in one, or what the engine calls it.")
    ] = "",
    engine_url: Annotated[
        str,
        typer.Option(metavar="URL", help="Any OpenAI-speaking engine, such as Ollama or vLLM; else the built-in one."),
    ] = "",
    network_url: NetworkUrl = "",
    listen: Listen = "127.0.0.1:0",
    dev: Dev = False,
) -> None:
    """Run one node until it is told to stop (SIGTERM or Ctrl-C).

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
        config = write_node(terminal.home, NewNode(model, engine_url, *_place(listen)), chain=chain)
        terminal.note(f"node       {config.stem}, configured in {config}")
    run_role("node", config, dev=dev)
