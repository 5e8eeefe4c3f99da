"""Whether a node runs the model it claims: a rule over the gaps between committed and recomputed log-probabilities.

A reply counts towards a flag only where its members agree on which side of the threshold it lies: so neither a liar
among honest members condemns a node, nor does a bribed one clear it. What counts is the panel's lower median, clipped.
A node is flagged when the mean of its latest replies, at least five and at most fifty, exceeds the threshold. The
window passes from table to table and never restarts: looking often is no new chance, for no single honest reply comes
near the threshold. A flag stands until a case acquits the node; then all is forgotten.

One member of three can keep a reply from counting. So what most members found, two of three, is kept beside it as
doubts. They cost nothing, but whoever is doubted is asked itself, and a case is opened if its replies convict it: by
`sworn_evidence`, which every juror computes again. A juror also convicts by `convicts`, over fresh replies of its own.

Prefill laundering (a cheap model writes, the claimed one only computes the log-probabilities) leaves no gap. It shows
in how unlikely the text is to the claimed model, so `laundering` reports that apart; it flags nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dgrid.core.money import BPS
from dgrid.poq.integers import median
from dgrid.poq.rules import MICROS, IdentityRules
from dgrid.wire.quality import Identity, SuspicionRow

NEVER = -1


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How well a node's texts fit the model it claims, over the replies that were checked."""

    node: bytes
    model: bytes
    replies: int
    tokens: int
    likelihood_micros: int  # mean log-probability of a token under the claimed model, in nats
    misses_micros: int  # share of tokens that the claimed model would not have chosen first


def threshold_of(model_digest: bytes, rules: IdentityRules) -> int:
    """The mean gap that flags for a model, in millionths of a nat."""
    return rules.gap_micros_of.get(model_digest, rules.gap_micros)


def agreed_gap(
    findings: Sequence[Identity], threshold_micros: int, *, share_bps: int, rules: IdentityRules
) -> int | None:
    """What a panel's findings on one reply come to, where that share of them lies on one side of the threshold; None
    where they are too few or contradict each other.
    """
    gaps = sorted(finding.gap_micros for finding in findings if finding.tokens > 0)
    if len(gaps) < rules.members_min:
        return None
    above = sum(gap > threshold_micros for gap in gaps)
    if max(above, len(gaps) - above) * BPS < share_bps * len(gaps):
        return None
    return min(gaps[(len(gaps) - 1) // 2], rules.clip * threshold_micros)


def suspect(
    row: SuspicionRow, gap_micros: int, *, threshold_micros: int, round_: int, rules: IdentityRules
) -> SuspicionRow:
    """The row with one more agreed gap, and flagged if that is one too many."""
    kept = (*row.gaps_micros, gap_micros)[-rules.window :]
    beyond = len(kept) >= rules.replies_min and sum(kept) > threshold_micros * len(kept)
    flagged = round_ if beyond and row.flagged_round == NEVER else row.flagged_round
    return SuspicionRow(row.node, row.model, kept, flagged, row.doubts_micros)


def doubt(row: SuspicionRow, gap_micros: int, *, rules: IdentityRules) -> SuspicionRow:
    """The row with one more gap that most members found."""
    kept = (*row.doubts_micros, gap_micros)[-rules.window :]
    return SuspicionRow(row.node, row.model, row.gaps_micros, row.flagged_round, kept)


def is_doubted(row: SuspicionRow, threshold_micros: int, *, rules: IdentityRules) -> bool:
    """Whether a node is to be asked: flagged, or in doubt by what most members found."""
    gaps = row.doubts_micros
    detections = sum(gap > threshold_micros for gap in gaps)
    in_doubt = len(gaps) >= rules.replies_min and sum(gaps) > threshold_micros * len(gaps)
    return row.flagged_round != NEVER or (in_doubt and detections >= rules.doubts_min)


def cleared(row: SuspicionRow) -> SuspicionRow:
    """The row after a case found nothing."""
    return SuspicionRow(row.node, row.model, (), NEVER)


def convicts(gaps_micros: Sequence[int], threshold_micros: int, *, share_bps: int, rules: IdentityRules) -> bool:
    """Whether one asker's replies show another model: enough were measured, and at least that share is far off.

    Counting, not a mean: where an honest reply is far off with probability p, that happens to an honest node with
    P(Binomial(n, p) ≥ ⌈share · n⌉), which `tests/poq/test_lifetimes.py` bounds from measured gaps.
    """
    far = sum(gap > rules.far * threshold_micros for gap in gaps_micros)
    return len(gaps_micros) >= rules.fresh_min and far * BPS >= share_bps * len(gaps_micros)


def sworn_evidence(gaps_micros: Sequence[int], threshold_micros: int, *, rules: IdentityRules) -> int:
    """What an opener's replies say against a node, in millionths: the logarithm of Wald's likelihood ratio (1945).

    How much likelier they are from a node of which every fifth reply is far off than from an honest one, of which at
    most one in a thousand is. Whoever looks after every reply and stops when it likes still sees a ratio of 10¹¹ of an
    honest node with probability 10⁻¹¹ at most (Ville 1939), so an asker may go on where a node cheats seldom. That is
    for one set of requests: N evaluators have N · R sets on R roots, none of them of their own choice
    (`dgrid.settlement.binding`), and with all of these it is N · R · 10⁻¹¹ at most. It assumes that each request has
    one reply, and that a reply is far off with probability one in a thousand whatever came before it, on average over
    what is asked; `dgrid.settlement.samples` says what is not bound.
    """
    far = sum(gap > rules.far * threshold_micros for gap in gaps_micros)
    return far * rules.far_gain_micros - (len(gaps_micros) - far) * rules.near_loss_micros


def laundering(findings: Iterable[tuple[bytes, bytes, Identity]]) -> tuple[Likelihood, ...]:
    """For each (node, model) of (node, model, finding): its likelihood and misses, all tokens alike; rounded down.

    Give one finding a reply. Compare nodes of one model: an honest one's likelihood is the model's own entropy, a
    launderer's lies below it and its misses above.
    """
    by_node: dict[tuple[bytes, bytes], list[Identity]] = defaultdict(list)
    for node, model, finding in findings:
        if finding.tokens > 0:
            by_node[node, model].append(finding)
    return tuple(_likelihood(node, model, found) for (node, model), found in sorted(by_node.items()))


def panel_finding(findings: Sequence[Identity]) -> Identity | None:
    """One finding of several on the same reply: the medians."""
    told = [one for one in findings if one.tokens > 0]
    if not told:
        return None
    return Identity(
        median([one.tokens for one in told]),
        median([one.gap_micros for one in told]),
        median([one.worst_gap_micros for one in told]),
        median([one.misses for one in told]),
        median([one.likelihood_micros for one in told]),
    )


def _likelihood(node: bytes, model: bytes, found: Sequence[Identity]) -> Likelihood:
    tokens = sum(one.tokens for one in found)
    likelihood = sum(one.likelihood_micros * one.tokens for one in found) // tokens
    return Likelihood(node, model, len(found), tokens, likelihood, sum(one.misses for one in found) * MICROS // tokens)
