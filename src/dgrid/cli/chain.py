"""Commands about the chain itself: putting a network's contracts on one. Nothing is sent before it was shown."""

import os
from pathlib import Path
from typing import Annotated

import typer

from dgrid.cli.money import Yes, agree
from dgrid.cli.terminal import Terminal, coins, columns

Network = Annotated[str, typer.Option(metavar="NETWORK", help="dev, bsc-testnet, bsc or opbnb.")]
Endpoints = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="An endpoint; repeat it for several. Else $DGRID_CHAIN_RPC, with commas."),
]
KeyFile = Annotated[Path | None, typer.Option(metavar="FILE", help="The deployer's key; else one made in this home.")]
Holder = Annotated[str, typer.Option(metavar="ADDRESS", help="Who holds the whole supply at first; else the deployer.")]
Authors = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="A canary author from the start; repeat it for several."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Another first value of a parameter; repeat it for several."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The network's contracts: put them on a chain.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("deploy")(deploy)
    app.add_typer(group, name="chain")


def deploy(  # noqa: PLR0913 one for each flag
    context: typer.Context,
    *,
    network: Network,
    rpc: Endpoints = None,
    key_file: KeyFile = None,
    holder: Holder = "",
    author: Authors = None,
    setting: Settings = None,
    yes: Yes = False,
) -> None:
    """Put a network's contracts on a chain, and write where they lie. Shows gas and cost first.

    Killed at any moment, the same command goes on with the same contracts; done, it checks them and sends nothing.
    The deployer keeps no power: what can change later, the members decide. Off the dev chain it takes at least two
    endpoints, and refuses the dev chain's public key and parameters under which fraud would pay.

    Example: `dgrid chain deploy --network bsc-testnet --rpc https://one.example --rpc https://two.example`
    """
    from dgrid.cli.deployments import Wish, keep_settings, plan_deployment, run_deployment

    terminal: Terminal = context.obj
    urls = tuple(rpc or [url.strip() for url in os.environ.get("DGRID_CHAIN_RPC", "").split(",") if url.strip()])
    if not urls:
        raise typer.BadParameter("give --rpc URL, or set DGRID_CHAIN_RPC")
    wish = Wish(terminal.home, network, urls, key_file, holder, tuple(author or ()), tuple(setting or ()))
    plan = plan_deployment(wish)
    book = plan.book
    rows = [
        (name, address, "to create" if name in plan.missing else "there") for name, address in book.contracts.items()
    ]
    terminal.note(columns(("CONTRACT", "ADDRESS", "STATE"), rows))
    if plan.missing:
        coin = wish.chosen().coin
        terminal.note(f"network    {book.network} (chain {book.chain_id}){', begun before' if plan.is_resumed else ''}")
        terminal.note(f"deployer   {book.deployer}, which holds {coins(plan.balance_wei)} {coin}")
        terminal.note(f"supply to  {book.holder}")
        terminal.note(f"gas        {plan.gas:,} in {len(plan.missing)} transactions, {coins(plan.cost_wei)} {coin} now")
        agree(terminal, yes=yes)
    done = run_deployment(wish, plan, say=lambda name, sent: terminal.say(f"{name:<16} in block {sent.block_number}"))
    settings = keep_settings(terminal.home, done, rpc_urls=urls)
    if settings is not None:
        terminal.note(f"settings   {settings}: commands with this home know the network now")
    shown = {
        "network": done.network,
        "chain_id": done.chain_id,
        "deployer": done.deployer,
        "first_block": done.first_block,
        "contracts": done.contracts,
        "created": plan.missing,
        "gas": plan.gas,
        "cost_wei": str(plan.cost_wei),
    }
    state = f"{len(plan.missing)} contracts created" if plan.missing else "all contracts lie there"
    terminal.show("chain.deploy", shown, text=f"{state}, and their code was checked")
