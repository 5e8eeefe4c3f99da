"""An evaluator's whole life: registered with its encryption key and models, judging, committing, opening, concluding.

It asks nodes through gateways like any client, with money of its own, and trusts none of them: what it reports rests on
the chain, on the archives, and on answers whose receipts it checked.
"""

import asyncio
import logging
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from dgrid.chain.court import declare_models
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.config import EvaluatorConfig
from dgrid.core.delays import Delays
from dgrid.core.errors import DGridError
from dgrid.engines.catalog import Catalog
from dgrid.engines.encoder import EncoderClient
from dgrid.engines.forcing import Forcing
from dgrid.engines.models import ModelFacts, model_facts
from dgrid.evaluator.cases.accusing import Accuser
from dgrid.evaluator.cases.journal import FILE_NAME as VOTES_NAME
from dgrid.evaluator.cases.journal import VoteJournal
from dgrid.evaluator.cases.jury import Bar, Jury
from dgrid.evaluator.cases.sampling import Sampler
from dgrid.evaluator.cases.working import CaseLoop, CourtDesk
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.concluding import LOOKS_MS, Concluder, Desk
from dgrid.evaluator.disclosures import DisclosureReader
from dgrid.evaluator.docket import Docket
from dgrid.evaluator.door import EvaluatorService
from dgrid.evaluator.flags import Flags
from dgrid.evaluator.journal import FILE_NAME, Journal
from dgrid.evaluator.judges.by_encoder import EncoderJudges
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Bench, Judges
from dgrid.evaluator.keys import EncryptionKey
from dgrid.evaluator.offers import LIMITS as OFFER_LIMITS
from dgrid.evaluator.offers import Offers
from dgrid.evaluator.purse import Allowance, Purse
from dgrid.evaluator.rerun import Repeater
from dgrid.evaluator.tally import Tally
from dgrid.evaluator.working import ChainTime, EvaluatorLoop
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.processes.chain_side import ChainSide, background, chain_side, until_done
from dgrid.processes.evaluator_asking import PayingAsker
from dgrid.processes.life import now_ms, run_until_signal
from dgrid.processes.sample_requests import write_sample
from dgrid.settlement.appealing import BondPurse
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.settlement.samples import SampleTerms
from dgrid.wire.http import ClientLimits, HttpClient, any_address, loopback_only
from dgrid.wire.server import Server

logger = logging.getLogger(__name__)

PURSE_LOOK_S: Final = 5.0
SALT_BYTES: Final = 32


def run(config: EvaluatorConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(_live(config))


@dataclass(frozen=True, slots=True)
class Own:
    """What one evaluator has of its own."""

    config: EvaluatorConfig
    side: ChainSide
    encryption: EncryptionKey
    forcing: Forcing
    journal: Journal
    tally: Tally = field(default_factory=Tally)

    @property
    def purse(self) -> Purse:
        side, config, deposit_wei = self.side, self.config, int(self.config.deposit_wei)
        allowance = Allowance(self.journal, int(config.repeat_wei_max))
        return Purse(side.rpc, side.contracts, side.sender, config.key(), deposit_wei, config.dev, allowance)

    def http(self, limits: ClientLimits) -> HttpClient:
        return HttpClient(limits, allow=loopback_only if self.config.dev else any_address)

    def archives(self, http: HttpClient) -> tuple[Archives, QualityReader]:
        """The archives, and what they and the final chain hold of each round."""
        watcher, domain, urls = self.side.watcher, self.side.domain, self.config.archive_urls
        archives = Archives(http, lambda: doors_of(watcher.latest, urls=urls), domain=domain)
        records = Records(lambda: watcher.finalized, archives)
        return archives, QualityReader(records, archives, domain=domain, court=self.side.court)


async def _live(config: EvaluatorConfig) -> None:
    encryption, forcing = EncryptionKey.kept_in(config.folder), Forcing(runnable_models(config))
    async with chain_side(config) as side, AsyncExitStack() as stack:
        journal = Journal(config.folder / FILE_NAME)
        stack.callback(journal.close)
        own = Own(config, side, encryption, forcing, journal)
        stack.push_async_callback(forcing.stop)
        loop = opened_loop(own, stack)
        service = EvaluatorService(side.sender.address, loop.journal, side.watcher, own.tally)
        server = Server(service.handle, host=config.host, port=config.port)
        stack.push_async_callback(server.stop)
        await server.start()
        logger.info("evaluator at %s, %d models", config.url, len(forcing.digests))
        async with background(partial(enrol, own), opened_court(own, stack, loop=loop).run):
            await loop.run()


def opened_loop(own: Own, stack: AsyncExitStack) -> EvaluatorLoop:
    """All that works together, to be closed with `stack`."""
    side, key, domain = own.side, own.config.key(), own.side.court
    watcher, contracts = side.watcher, side.contracts
    http, journal = own.http(LIMITS), own.journal
    stack.push_async_callback(http.close)
    archives, quality = own.archives(http)
    reader = DisclosureReader(archives, domain, own.encryption, key.address)
    bench = opened_bench(own, stack, quality=quality)
    docket = Docket(journal, quality, reader=reader, bench=bench, tally=own.tally)
    stack.push_async_callback(docket.close)
    desk = Desk(key, domain, journal, archives, side.sender, contracts, http)
    secret = partial(secrets.token_bytes, SALT_BYTES)
    clerk = Clerk(key, domain, journal, archives, side.rpc, side.sender, contracts, secret)
    concluder = Concluder(desk, quality, looks=Delays(now_ms, *LOOKS_MS))
    time = ChainTime(lambda: watcher.latest_s, now_ms)
    loop = EvaluatorLoop(key.address, watcher, journal, docket, clerk, concluder, time, own.tally)
    stack.push_async_callback(loop.close)
    return loop


def opened_court(own: Own, stack: AsyncExitStack, *, loop: EvaluatorLoop) -> CaseLoop:
    """What it does in cases, to be closed with `stack`."""
    config, side, key = own.config, own.side, own.config.key()
    watcher, contracts = side.watcher, side.contracts
    http, votes = own.http(LIMITS), VoteJournal(config.folder / VOTES_NAME)
    stack.push_async_callback(http.close)
    stack.callback(votes.close)
    archives, quality = own.archives(http)
    asker = PayingAsker(own.purse, lambda: watcher.finalized, own.tally)
    stack.push_async_callback(asker.close)
    terms = SampleTerms(side.domain, side.court, write_sample)
    sampler = Sampler(key.address, asker.reply, own.forcing, terms, int(config.repeat_wei_max))
    bar, salt = Bar(key, quality, archives, sampler, contracts.dgai.address), partial(secrets.token_bytes, SALT_BYTES)
    jury = Jury(bar)
    desk = CourtDesk(BondPurse(side.rpc, contracts, side.sender, config.dev), votes, config.appeals)
    accuser = Accuser(key.address, bar, jury, loop.journal.agrees_with, desk.signers, loop.journal.secret)
    offers = Offers(http, lambda: watcher.finalized, chain_id=contracts.chain_id)
    court = CaseLoop(watcher, desk, jury, accuser, offers.peers, loop.time, own.tally, salt)
    stack.push_async_callback(court.close)
    return court


def opened_bench(own: Own, stack: AsyncExitStack, *, quality: QualityReader) -> Bench:
    """The judges, and the way to the peers."""
    http, watcher = own.http(OFFER_LIMITS), own.side.watcher
    stack.push_async_callback(http.close)
    chain_id, flags = own.side.contracts.chain_id, Flags(quality)
    offers = Offers(http, lambda: watcher.finalized, chain_id=chain_id, flagged=flags.nodes)
    asker = PayingAsker(own.purse, lambda: watcher.finalized, own.tally)
    stack.push_async_callback(asker.close)
    repeater = Repeater(asker.ask, budget_wei=int(own.config.repeat_wei_max))
    judges = opened_judges(own.config, stack)
    return Bench(own.side.sender.address, repeater, offers.peers, judges, own.forcing, BUILT_IN_REFERENCES)


def opened_judges(config: EvaluatorConfig, stack: AsyncExitStack) -> Judges:
    """Judges that read with the configured encoder; by rules alone without one."""
    if not config.encoder_url:
        return RuleJudges()
    encoder = EncoderClient(config.encoder_url)
    stack.push_async_callback(encoder.close)
    return EncoderJudges(encoder, RuleJudges())


def runnable_models(config: EvaluatorConfig) -> dict[bytes, ModelFacts]:
    """The models that can be run here, by digest: those built in, and the configured files. Raises CheckFailed."""
    try:
        built_in = [model.path for model in Catalog.built_in().models]
    except DGridError as error:
        logger.warning("without the built-in models: %s", error.message)
        built_in = []
    found = [model_facts(path) for path in (*built_in, *map(Path, config.model_files))]
    return {facts.digest: facts for facts in found}


async def enrol(own: Own) -> None:
    """Registers the evaluator with its key and its models, then keeps its channels filled, as gateways come."""
    await until_done(lambda: _register(own), what="registration")
    while True:
        try:
            await own.purse.fill(own.side.watcher.finalized)
        except DGridError as error:
            logger.warning("no money for re-runs: %s %s", error.message, error.hint)
        await asyncio.sleep(PURSE_LOOK_S)


async def _register(own: Own) -> None:
    config, side, digests = own.config, own.side, own.forcing.digests
    enroller = Enroller(side.rpc, side.contracts, side.sender, dev=config.dev)
    enrolment = Enrolment(Role.EVALUATOR, config.url, int(config.stake_wei), encryption_key=own.encryption.public)
    await enroller.enroll(enrolment, side.watcher.latest)
    declared = side.watcher.latest.declared.get((Role.EVALUATOR, side.sender.address), ())
    if set(declared) != set(digests):
        await declare_models(side.sender, side.contracts, role=Role.EVALUATOR, digests=digests)
