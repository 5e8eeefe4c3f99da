"""The price of judging, as the page shows it."""

from collections import Counter
from collections.abc import Iterator

from benchmarks.accounts import CANARIES, EVALUATORS, PAYERS
from benchmarks.roles import IDENTITY, JUDGING, ROLES
from benchmarks.verification import PRODUCTION, Trial, Verification, middle

WEI = 10**18
NAMES = {IDENTITY: "evaluators' identity checks", "node": "node (inference)"}
PAYER_NAMES = {EVALUATORS: "evaluators, for re-runs", CANARIES: "the author, for canaries"}


def verification_lines(found: Verification) -> Iterator[str]:
    """The section's lines."""
    rounds = len({trial.round for trial in found.trials})
    yield f"Measured with {found.settings}, at {found.rate:g} requests a second, {rounds} rounds of both networks."
    yield from ("", *_cpu_table(found), "", *_ratios(found), _reruns(found), _speeds(found))
    yield from ("", *_fees_table(found), "")
    yield from _sums([trial for trial in found.trials if trial.is_judged], [t for t in found.trials if not t.is_judged])
    yield from _identity(found)


def _cpu_table(found: Verification) -> Iterator[str]:
    yield "| role | idle, of a core: without → with judges | CPU ms a user's request: without → with | more |"
    yield "| --- | --- | --- | --- |"
    yield from (_cpu_row(found, role) for role in ROLES)
    idle = [middle(trials, _idle_share) for trials in (found.plain, found.judged)]
    cost = [middle(trials, lambda trial: trial.total_ms) for trials in (found.plain, found.judged)]
    spent = f"{cost[0]:.1f} → {cost[1]:.1f} | {found.judging_ms:.1f}"
    yield f"| **all** | {idle[0]:.1%} → {idle[1]:.1%} | {spent} |"


def _cpu_row(found: Verification, role: str) -> str:
    idle = [middle(trials, lambda trial: trial.idle_share(role)) for trials in (found.plain, found.judged)]
    cost = [middle(trials, lambda trial: trial.per_request_ms(role)) for trials in (found.plain, found.judged)]
    more = found.more(lambda trial: trial.per_request_ms(role))
    before = ("–", "–") if role in JUDGING else (f"{idle[0]:.1%}", f"{cost[0]:.1f}")
    return f"| {NAMES.get(role, role)} | {before[0]} → {idle[1]:.1%} | {before[1]} → {cost[1]:.1f} | {more:.1f} |"


def _idle_share(trial: Trial) -> float:
    return sum(map(trial.idle_share, ROLES))


def _ratios(found: Verification) -> Iterator[str]:
    judging_ms, production_ms = found.judging_ms, found.judging_ms_at(PRODUCTION)
    yield (
        f"- **Judging takes {judging_ms / found.inference_ms:.2f} × the CPU of inference** (nodes alone), "
        f"{judging_ms / found.serving_ms:.2f} × that of the whole network without judges."
    )
    yield (
        f"- With {PRODUCTION} it would take {production_ms / found.inference_ms:.2f} × and "
        f"{production_ms / found.serving_ms:.2f} ×: computed part by part from these measurements, not measured."
    )


def _reruns(found: Verification) -> str:
    return (
        f"- Re-runs are answers too, {found.reruns:.2f} for each of a user; they would be "
        f"{found.reruns_at(PRODUCTION):.2f} with those settings. That part of the price does "
        f"not shrink beside larger models."
    )


def _speeds(found: Verification) -> str:
    rate = found.paired(lambda judged, plain: judged.crowd.requests_per_second / plain.crowd.requests_per_second)
    speeds = [middle(trials, lambda trial: trial.crowd.requests_per_second) for trials in (found.plain, found.judged)]
    waits = [middle(trials, lambda trial: trial.crowd.p50_ms) for trials in (found.plain, found.judged)]
    return (
        f"- As fast as it goes, {found.trials[0].crowd.askers} askers on the same cores: {speeds[0]:.1f} requests/s "
        f"without judges, {speeds[1]:.1f} with them ({rate:.2f} ×); median wait {waits[0]:.0f} and {waits[1]:.0f} ms. "
        f"Then the cap of duties, not the share, bounds what is judged."
    )


def _fees_table(found: Verification) -> Iterator[str]:
    requests = sum(trial.requests for trial in found.judged)
    yield f"Money, in the judged networks, for {requests} requests of users:"
    yield ""
    yield "| who paid | answers | fees, DGAI | of the users' fees |"
    yield "| --- | --- | --- | --- |"
    for payer in PAYERS:
        answers = sum(trial.accounts.answers[payer] for trial in found.judged)
        fees = sum(trial.accounts.fees_wei[payer] for trial in found.judged) / WEI
        share = found.fees_share(payer)
        yield f"| {PAYER_NAMES.get(payer, payer)} | {answers} | {fees:.4f} | {share:.2f} |"


def _sums(judged: list[Trial], plain: list[Trial]) -> Iterator[str]:
    duties, reports, checks, reruns, rounds, earned, paid, income = (
        sum(getattr(trial.accounts, name) for trial in judged)
        for name in (
            *("duties", "reports", "identity_checks", "reruns", "rounds"),
            *("earned_wei", "evaluator_pay_wei", "protocol_wei"),
        )
    )
    yield f"- {duties} duties in {rounds} rounds, {reports} reported, {checks} identity checks, {reruns} re-runs."
    yield (
        f"- Evaluators' balances are worth {earned / WEI:.4f} DGAI, {paid / WEI:.4f} of it credited (pay begins after "
        f"50 judged answers each). The 2 % of all fees that pays them came to {income / WEI:.4f} DGAI."
    )
    gas = [_gas(trials) for trials in (plain, judged)]
    each = ", ".join(f"{role} {amount:.0f}" for role, amount in sorted(gas[1].items()))
    sums = [sum(one.values()) for one in gas]
    yield f"- Gas, in thousands a user's request: {sums[0]:.0f} without judges, {sums[1]:.0f} with them ({each})."


def _gas(trials: list[Trial]) -> Counter[str]:
    """Thousands for each request of a user, by the role of who sent the transactions."""
    total: Counter[str] = Counter()
    for trial in trials:
        total.update(trial.accounts.gas)
    requests = sum(trial.requests for trial in trials)
    return Counter({role: round(gas / requests / 1e3) for role, gas in total.items()})


def _identity(found: Verification) -> Iterator[str]:
    each = ", ".join(
        f"{cost.model} {cost.check_ms:.1f} of {cost.reply_ms:.1f} ms ({cost.ratio:.2f})" for cost in found.checks
    )
    one = PRODUCTION.identity * found.identity_share
    yield f"- One identity check beside writing the answer, the engines alone: {each}."
    yield (
        f"- At {PRODUCTION.identity:.0%} that is **{one:.1%} of inference** for one check of a drawn answer, "
        f"{one * PRODUCTION.committee:.1%} when a committee of three makes it, as it does now."
    )
