"""A child that ends with its parent, however that ends. Linux only: elsewhere it goes on."""

import ctypes
import os
import signal
import sys
from typing import Final

_DEATH_SIGNAL_OPTION: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with_parent(parent: int | None = None, *, by: signal.Signals = signal.SIGTERM) -> None:
    """Called in the child: the kernel sends it `by` when its parent is gone, even by kill −9.

    With the parent's process id it ends at once where that one died before this was called.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL_OPTION, by, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(0)
