"""Decoding what strangers sent: whatever the bytes, the worst outcome is a ValueError."""

from typing import Protocol, TypeVar

Decoded = TypeVar("Decoded", covariant=True)


class Decoder(Protocol[Decoded]):
    """One of msgspec's decoders."""

    def decode(self, buf: bytes, /) -> Decoded: ...


def decode_with(decoder: Decoder[Decoded], data: bytes) -> Decoded:
    """The value in `data`. Raises ValueError, also for bytes nested so deeply that the decoder gives up."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
