"""Commands of whoever asks: chat, connect, models, nodes."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, columns, dgai, percent, percentage, short, wei_of
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import to_hex

BACKING = ("stake_wei", "delegated_wei")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(chat)
    app.command()(connect)
    app.command()(models)
    app.command()(nodes)


def chat(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask; `-` reads standard input.")],
    *,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A model, or auto, auto:cheap, auto:fast, auto:best.")
    ] = "auto",
    max_tokens: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="The longest answer; else what the context leaves.")
    ] = None,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Print the answer when it is whole.")] = False,
) -> None:
    """Ask a model. The answer streams to standard output; its receipt is checked, and named on standard error.

    A gateway that does not answer is passed over for the next one.

    Example: `dgrid chat "Maria lives in Oslo. Where does Maria live?" --model dgrid-mini`
    """
    from dgrid.cli.wallet_config import open_client

    terminal: Terminal = context.obj
    question = typer.get_text_stream("stdin").read() if text == "-" else text
    if not question.strip():
        raise typer.BadParameter("there is nothing to ask: TEXT is empty")
    options = {} if max_tokens is None else {"max_tokens": max_tokens}
    client = open_client(terminal.home)
    if no_stream or terminal.json:
        answer = client.ask(question, model=model, options=options)
        terminal.show("chat", _answer_data(answer), text=answer.text)
    else:
        stream = client.stream(question, model=model, options=options)
        for piece in stream:
            print(piece, end="", flush=True)
        print(flush=True)
        answer = stream.answer
    node = f"node {short(answer.node)}, " if answer.node else ""
    terminal.note(f"receipt {answer.receipt_id}  fee {dgai(answer.fee_wei)}  {node}checked, by {answer.gateway_url}")


def _answer_data(answer: Any) -> dict[str, Any]:
    names = ("text", "model", "receipt_id", "node", "tokens_in", "tokens_out", "attempts", "gateway_url", "verified")
    return {**{name: getattr(answer, name) for name in names}, "fee_wei": str(answer.fee_wei)}


def connect(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(metavar="PORT", help="Where the proxy listens, on loopback only.")] = 7460,
    deposit: Annotated[
        str, typer.Option(metavar="DGAI", help="What to pay into a new channel at each gateway.")
    ] = "100",
    max_fee: Annotated[str, typer.Option(metavar="DGAI", help="The most one request may cost.")] = "1",
) -> int:
    """Run a local OpenAI-compatible proxy that pays with your own key and checks every receipt.

    Point any OpenAI client at the base URL it prints; the API key may be anything. No gateway can spend more than the
    vouchers that this proxy signs, and an answer whose receipt does not hold is withheld.

    Example: `dgrid connect --port 7460 --max-fee 0.1`
    """
    from dgrid.cli.wallet_config import chain_config, wallet_config
    from dgrid.processes.connect import ConnectOptions, run_connect

    terminal: Terminal = context.obj
    amounts = {"deposit_wei": wei_of(deposit), "max_fee_wei": wei_of(max_fee)}
    wallet = replace(wallet_config(terminal.home), chain=chain_config(terminal.home))
    folder = terminal.home / "roles" / "user"
    options = ConnectOptions(wallet, folder, port=port, note=terminal.note, **amounts)
    return run_connect(options, say=lambda line, data: terminal.show("connect", data, text=line))


def models(context: typer.Context) -> None:
    """List the models that can be asked: price, context, what was published of their quality and what judges found.

    The interval holds the credibility of all its nodes together with 90 % certainty.

    Example: `dgrid models`
    """
    from dgrid.cli.wallet_config import open_public

    terminal: Terminal = context.obj
    found = open_public(terminal.home).fetch("/v1/models")["data"]
    rows = [
        (one["id"], one.get("context_length", "-"), *_prices(one), one.get("nodes", "-"), *_judged(one))
        for one in found
    ]
    sold = "MODEL", "CONTEXT", "IN / MILLION", "OUT / MILLION", "NODES"
    text = columns((*sold, "PUBLISHED", "CREDIBILITY", "LOW", "HIGH", "SAMPLES"), rows)
    terminal.show("models", {"models": found}, text=text)


def _prices(model: dict[str, Any]) -> tuple[str, str]:
    pricing = model.get("pricing", {})
    prices = pricing.get("in_price_wei"), pricing.get("out_price_wei")
    cells = [dgai(int(price)) if price is not None else "-" for price in prices]
    return cells[0], cells[1]


def _judged(model: dict[str, Any]) -> list[object]:
    names = "published_bps", "judged_bps", "low_bps", "high_bps", "samples"
    return [_cell(name, model.get("quality", {}).get(name)) for name in names]


def nodes(
    context: typer.Context,
    *,
    why: Annotated[
        str, typer.Option(metavar="NODE", help="Explain one node's credibility; the node by its address or name.")
    ] = "",
    limit: Annotated[
        int, typer.Option(metavar="COUNT", help="With --why: how many of the latest changes.", min=1, max=1000)
    ] = 20,
) -> None:
    """List the nodes as a gateway sees them: model, credibility, traffic, stake, state.

    Where no gateway answers, the list is that of the chain and the last quality table.

    With --why it shows the latest changes of one node's credibility and the receipts behind them, from the quality
    tables that any archive holds.

    Example: `dgrid nodes`

    Example: `dgrid nodes --why node-1`
    """
    from dgrid.cli.judging import reasons
    from dgrid.cli.signers import key_names

    terminal: Terminal = context.obj
    if why:
        found = reasons(terminal.home, why, limit=limit)
        shown = {**found.node, "credibility": found.rows, "changes": found.changes}
        terminal.show("nodes.why", shown, text=f"{_who_text(found.node)}\n\n{_why_text(found.rows, found.changes)}")
        return
    called, listed = {to_hex(one): name for one, name in key_names(terminal.home).items()}, _listed(terminal)
    names = ("model", "credibility_bps", "low_bps", "high_bps", "samples", "traffic_share_bps", *BACKING, "state")
    rows = [
        (short(one["address"]), called.get(one["address"], "-"), *(_cell(name, one.get(name)) for name in names))
        for one in listed
    ]
    known = ("NODE", "NAME", "MODEL", "CREDIBILITY", "LOW", "HIGH", "SAMPLES", "TRAFFIC")
    titles = *known, "STAKE", "DELEGATED", "STATE"
    terminal.show("nodes", {"nodes": listed}, text=columns(titles, rows))


def _listed(terminal: Terminal) -> list[dict[str, Any]]:
    """A gateway's list, or else that of the chain and its last quality table."""
    from dgrid.cli.judging import judged_nodes
    from dgrid.cli.wallet_config import open_public

    try:
        return _with_traffic(open_public(terminal.home).fetch("/v1/network/nodes")["nodes"])
    except NetworkUnreachable:
        found = judged_nodes(terminal.home)
        terminal.note("no gateway answers; this is what the chain and the archives say")
        return found


def _who_text(node: dict[str, Any]) -> str:
    """The node's name here and its address, and what stands behind its work."""
    named = f"{node['name']}  {node['node']}" if node["name"] else node["node"]
    amounts = {name: dgai(int(node[f"{name}_wei"])) for name in ("stake", "delegated", "slashed")}
    commission = percent(node["commission_bps"])
    lost = f"; {amounts['slashed']} slashed so far" if int(node["slashed_wei"]) else ""
    return f"{named}\nstake {amounts['stake']}, delegated {amounts['delegated']} at {commission} commission{lost}"


def _why_text(rows: list[dict[str, Any]], changes: list[dict[str, Any]]) -> str:
    names = ("task", "credibility_bps", "low_bps", "high_bps", "samples", "round")
    beliefs = [[_cell(name, row[name]) for name in names] for row in rows]
    told = [
        (one["round"], one["receipt_id"] or "-", one["model"] or "-", one["task"], one["cause"],
         _cell("score_bps", one["score_bps"]), f"{one['weight_micros'] / 1_000_000:.2f}")
        for one in changes
    ]  # fmt: skip
    head = columns(("TASK", "CREDIBILITY", "LOW", "HIGH", "SAMPLES", "ROUND"), beliefs)
    tail = columns(("ROUND", "RECEIPT", "MODEL", "TASK", "CAUSE", "SCORE", "WEIGHT"), told)
    if not rows and not told:
        return "nothing is known of its answers yet: none was judged"
    return f"{head}\n\n{tail}" if told else f"{head}\n\nno archive has the tables in which it changed"


def _with_traffic(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each node's share of what the asked gateway has had served."""
    served = sum(one.get("served", 0) for one in found)
    return [{**one, "traffic_share_bps": one.get("served", 0) * 10_000 // served if served else 0} for one in found]


def _cell(name: str, value: object) -> object:
    if value is None:
        return "-"
    if name.endswith("_wei"):
        return dgai(int(str(value)))
    return percentage(value) if name.endswith("_bps") and isinstance(value, int) else value
