"""A stream's bytes on their way through: chunks become events, their text is folded, what was sent is hashed.

It relays what the node wrote, byte for byte, except its usage, which only the gateway states.
"""

from collections.abc import Iterable

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.keccak import RunningHash
from dgrid.gateway.replies import event
from dgrid.gateway.verify import read_chunk
from dgrid.wire.answers import Answer

KEPT_BYTES_MAX = 8 * 1024 * 1024


class Relay:
    """One stream."""

    def __init__(self, model: str, salt: bytes, *, keep: bool) -> None:
        """`keep` remembers what was sent, for the answer's repetition."""
        self.answer = Answer()
        self.first_payload = b""
        self.delivered: str | None = None  # the text that had left when the client hung up
        self.began = False
        self._model, self._salt, self._keep = model, salt, keep
        self._wire = RunningHash(salt)
        self._sent: list[bytes] = []
        self._sent_bytes = 0

    def take(self, payloads: Iterable[bytes]) -> bytes:
        """The events that payloads become. Raises NodeMisbehaved."""
        events = []
        for payload in payloads:
            chunk = read_chunk(payload, self._model)
            if chunk.usage is not None:
                if chunk.choices:
                    raise NodeMisbehaved("a chunk states usage beside an answer")
                continue
            self.answer.add(chunk)
            self.first_payload = self.first_payload or payload
            events.append(event(payload))
        return b"".join(events)

    def send(self, data: bytes) -> bytes:
        """Notes what leaves for the client now."""
        self.began = True
        self._wire.update(data)
        if self._keep:
            self._sent.append(data)
            self._sent_bytes += len(data)
            if self._sent_bytes > KEPT_BYTES_MAX:
                self._keep, self._sent = False, []
        return data

    def client_left(self) -> None:
        """From now on nothing is delivered."""
        if self.delivered is None:
            self.delivered = self.answer.text()

    def wire_hash(self) -> bytes:
        """keccak(salt ‖ all that was sent)."""
        return self._wire.digest()

    def kept(self) -> bytes | None:
        """All that was sent, if it was to be kept and is not too much."""
        return b"".join(self._sent) if self._keep else None
