"""Where a fault of ours was raised, for the log: places in our code alone.

An unexpected exception's own words, and the source lines that a traceback shows, may be somebody's content or key.
"""

import traceback
from collections import deque
from pathlib import Path
from typing import Final

FRAMES_MAX: Final = 8


def trace_of(error: BaseException) -> str:
    """One line: the exception's type, and its last FRAMES_MAX places, the innermost first."""
    frames = deque(traceback.walk_tb(error.__traceback__), maxlen=FRAMES_MAX)
    places = [f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}" for frame, line in frames]
    return " < ".join([type(error).__name__, *reversed(places)])
