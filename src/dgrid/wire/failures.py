"""What a failed request is called: its caller reads the name in the reply, its operator finds it in the log.

A line holds the name and the error's code, never a word of the request or its error. Strangers can fail without end,
so at most so many lines are written a minute; the rest is counted.
"""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Final

from dgrid.core.errors import DGridError
from dgrid.wire.exchange import Reply, Request, problem_reply

logger = logging.getLogger(__name__)

LINES_A_MINUTE: Final = 600
MINUTE_S: Final = 60.0
NAME_BYTES: Final = 16


def new_request_id() -> str:
    """A name for a request that became no order. An order is called as its receipt will be."""
    return "req_" + secrets.token_hex(NAME_BYTES)


class Failures:
    """Names the failed requests of one door, and writes them down."""

    def __init__(
        self, *, name: Callable[[], str] = new_request_id, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._now_s = name, now_s
        self._until_s = 0.0
        self._written = self._left_out = 0

    def reply(self, error: DGridError, request: Request | None = None) -> Reply:
        """The reply to a failed request, under the name that the log has."""
        request_id = error.request_id or (request.order_name if request is not None else "") or self._name()
        self.note(error, request_id)
        return problem_reply(error, request_id)

    def note(self, error: DGridError, request_id: str) -> None:
        """Writes a line, unless there were too many in this minute."""
        if (now_s := self._now_s()) >= self._until_s:
            self._begin_minute(now_s)
        if self._written < LINES_A_MINUTE:
            self._written += 1
            logger.info("request %s failed: %d %s", request_id, error.status, error.code)
        else:
            self._left_out += 1

    def _begin_minute(self, now_s: float) -> None:
        if self._left_out:
            logger.warning("%d more requests failed, too many to name them", self._left_out)
        self._until_s = now_s + MINUTE_S
        self._written = self._left_out = 0
