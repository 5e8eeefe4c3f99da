"""Cuts a server-sent event stream into its data, bounded.

It takes what OpenAI-speaking servers send: `data:` lines, comments, blank lines, any line ending. Other fields are
skipped; an event that does not end within its limit is an error, so that a hostile server cannot fill memory.
"""

from typing import Final

from dgrid.core.errors import EngineError

EVENT_BYTES_MAX: Final = 1 << 20
STREAM_END: Final = b"[DONE]"


class EventScanner:
    """Feed it bytes as they come; it gives the data of every event that is complete."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that `received` completes.

        Raises EngineError when an event has no end within the limit.
        """
        lines = (self._rest + received).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if content := line.removesuffix(b"\r"):
                self._take(content)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        if len(self._rest) + sum(map(len, self._data)) > EVENT_BYTES_MAX:
            raise EngineError(f"an event of the engine has more than {EVENT_BYTES_MAX} bytes")
        return events

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
