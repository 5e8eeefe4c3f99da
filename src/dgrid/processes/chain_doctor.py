"""Looks at a home's chain: whether its endpoints answer and agree with each other, and whether our contracts lie there.

A home without a chain, or whose dev network does not run, has nothing to look at. Changes nothing.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dgrid.chain.deploy import strange_contracts
from dgrid.chain.rpc import Block, Rpc
from dgrid.config import ChainConfig
from dgrid.core.errors import DGridError
from dgrid.processes.findings import Finding
from dgrid.processes.home import Home
from dgrid.wire.http import ClientLimits, HttpClient

LIMITS = ClientLimits(first_byte_s=5.0)


def chain_findings(home: Path, chain: ChainConfig | None) -> list[Finding]:
    """What there is to say of a home's chain."""
    if chain is None or not chain.rpc_urls or (chain.is_dev and Home(home).holder() is None):
        return []
    return asyncio.run(_look(chain))


async def _look(chain: ChainConfig) -> list[Finding]:
    http = HttpClient(LIMITS)
    try:
        rpc = Rpc.of(chain, http)
        final = await rpc.finalized_block()
        return [await _endpoints(chain, http, final), await _contracts(rpc, chain)]
    except DGridError as error:
        remedy = error.hint or "name endpoints in config.toml that answer, most of which agree"
        return [Finding("chain endpoints", False, error.message, remedy)]
    finally:
        await http.close()


async def _endpoints(chain: ChainConfig, http: HttpClient, final: Block) -> Finding:
    """There is a majority; who is not of it is named."""
    urls: Sequence[str] = tuple(dict.fromkeys(chain.rpc_urls))
    said = await asyncio.gather(*(_problem(Rpc([url], http, chain_id=chain.chain_id), final) for url in urls))
    if problems := [f"{url} {problem}" for url, problem in zip(urls, said, strict=True) if problem]:
        return Finding("chain endpoints", False, "; ".join(problems), "replace it in config.toml's rpc_urls")
    return Finding("chain endpoints", True, f"{len(urls)} agree on block {final.number} of chain {chain.chain_id}")


async def _problem(rpc: Rpc, final: Block) -> str:
    """What is wrong with one endpoint; empty where nothing is."""
    try:
        found = await rpc.agreed_block(final.number)
    except DGridError as error:
        return f"does not answer: {error.message}"
    if found is None:
        return f"does not know block {final.number}, which is final: it lags"
    return "" if found.hash == final.hash else f"has another block {final.number} than the others"


async def _contracts(rpc: Rpc, chain: ChainConfig) -> Finding:
    strange = await strange_contracts(rpc, chain.contracts)
    if strange:
        remedy = "use the version of this package that the network runs, or the network's address book"
        return Finding("contracts", False, f"not this version's: {', '.join(strange)}", remedy)
    return Finding("contracts", True, f"{len(chain.contracts)} lie there, with this version's code")
