"""Which nodes were found out: the flags of the latest posted quality table, so that nobody is compared with them.

A flagged node's answers are another model's. Asked as a peer it would speak for others of its kind and against honest
ones. Until a newer table can be had the last one stands; before the first nobody is flagged.
"""

import logging
from typing import Protocol

from dgrid.chain.view import ChainView
from dgrid.core.errors import DGridError
from dgrid.poq.changes import flagged_in
from dgrid.wire.quality import QualityTable

logger = logging.getLogger(__name__)


class Tables(Protocol):
    """Where posted tables come from."""

    @property
    def view(self) -> ChainView: ...

    async def table(self, judged_round: int) -> QualityTable:
        """Raises DGridError."""
        ...


class Flags:
    """The nodes that run another model than they claim, by the latest posted table."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._posted: bytes | None = None  # digest of the root that `_nodes` belong to
        self._nodes: frozenset[bytes] = frozenset()

    async def nodes(self) -> frozenset[bytes]:
        """Their addresses."""
        view = self._tables.view
        posted = view.quality_roots.get(view.last_quality_round)
        if posted is not None and posted.digest != self._posted:
            try:
                table = await self._tables.table(posted.root.round)
            except DGridError as error:
                logger.info("the quality table cannot be had yet: %s", error.message)
            else:
                self._posted = posted.digest
                self._nodes = frozenset(node for node, _ in flagged_in(table.suspicions))
        return self._nodes
