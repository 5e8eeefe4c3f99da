"""What went wrong in a way that nobody foresaw: said with its whole trace, left for a while, and tried again.

One epoch, one receipt, one demand that breaks a watcher's code must not keep it from the others, nor end it. Nothing is
ever dropped here: whoever asks keeps what it has until its work on it went through.
"""

import logging
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from dgrid.core.delays import Delays
from dgrid.core.errors import ChainUnavailable, DGridError

logger = logging.getLogger(__name__)


class Backoff(Delays):
    """The items that failed, each with its own time to be tried again."""

    @contextmanager
    def trying(self, item: Hashable, what: str) -> Iterator[None]:
        """Works on one item. Raises ChainUnavailable alone: then nothing can be done for the others either."""
        try:
            yield
        except ChainUnavailable:
            raise
        except DGridError as error:
            logger.warning("%s: %s", what, error.message)
            self.put_off(item)
        except Exception:  # a fault of ours must not end the watch over everybody else
            logger.exception("%s: left for now, and tried again", what)
            self.put_off(item)
        else:
            self.forget(item)
