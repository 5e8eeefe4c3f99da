"""All that routing goes by, as one frozen picture: what is offered, and what is believed of those who offer it.

Made anew when either changes, read by every request.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dgrid.gateway.route.entrants import Field
from dgrid.gateway.route.market import EMPTY_MARKET, Market
from dgrid.gateway.route.standing import EVERY_TASK, NOTHING_KNOWN, UNKNOWN, Credibility, Standing, pooled
from dgrid.wire.quality import TaskType


@dataclass(frozen=True, slots=True)
class Picture:
    """`fields`: each model's sellers in reach. `work`: what their answers are worth, by (model, task)."""

    market: Market
    credibility: Credibility
    fields: Mapping[str, Field]
    work: Mapping[tuple[str, str], Standing]

    @classmethod
    def of(cls, market: Market, credibility: Credibility) -> "Picture":
        fields = {model: Field.of(sellers, credibility) for model, sellers in market.in_band.items()}
        work = {
            (model, task): work_of(field, credibility, task=task)
            for model, field in fields.items()
            for task in (EVERY_TASK, *map(str, TaskType))
        }
        return cls(market, credibility, fields, work)

    def work_at(self, model: str, task: str) -> Standing:
        """The evidence on a model's answers to one kind of task."""
        return self.work.get((model, task), UNKNOWN)


def work_of(field: Field, credibility: Credibility, *, task: str) -> Standing:
    """What all but the doubtful do together: what a request may expect."""
    trusted = [one.seller for heat in (field.proven, field.new) for one in heat.entrants]
    return pooled(credibility.find(seller.node, seller.model_id, task=task) for seller in trusted)


EMPTY_PICTURE = Picture.of(EMPTY_MARKET, NOTHING_KNOWN)
