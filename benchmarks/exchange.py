"""The one exchange that every stack relays: a chat request of 871 bytes, a completion of 956.

The request is also written as a gateway's dispatch, so that a node can be asked without a gateway. Each request and
each answer carries a number of its own, so that nobody's cache can answer or count for it.
"""

from typing import Final

from dgrid.wire.frames import DispatchEnvelope, encode
from dgrid.wire.messages import Dispatch
from dgrid.wire.seals import Seal

MODEL: Final = "dgrid-mini"
REQUEST_BYTES: Final = 871
REPLY_BYTES: Final = 956
NUMBER_DIGITS: Final = 8
ID_DIGITS: Final = 32

_SENTENCES: Final = (
    "Maria lives in Oslo and works as a nurse. Tim plays the cello and has a small brown dog. Every morning they walk "
    "to the market, buy bread and apples, and talk about the weather. On Sundays they visit their friend Anna, who "
    "grows roses behind her house and bakes a cake for everyone. In the evening they read a book by the fire. "
) * 4
_HEAD: Final = (
    b'{"model":"dgrid-mini","messages":[{"role":"system","content":"You answer in one short sentence."},'
    b'{"role":"user","content":"Note '
)
_TAIL: Final = b' Where does Maria live?"}],"temperature":0,"max_tokens":220}'
_REPLY_HEAD: Final = (
    b'{"id":"chatcmpl-%s","object":"chat.completion","created":1760000000,"model":"dgrid-mini","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Note '
)
_REPLY_TAIL: Final = (
    b'"},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'
)


def _filler(size: int) -> bytes:
    return (b": " + _SENTENCES.encode())[:size].ljust(size, b".")


_REQUEST_FILLER: Final = _filler(REQUEST_BYTES - len(_HEAD) - NUMBER_DIGITS - len(_TAIL))


def request_body(number: int) -> bytes:
    """The chat request with this number, always REQUEST_BYTES long."""
    return b"%s%08d%s%s" % (_HEAD, number, _REQUEST_FILLER, _TAIL)


def dispatch_body(number: int) -> bytes:
    """That request as a gateway sends it to a node, under a seal of nobody's: the stand-in for a node checks none."""
    return _DISPATCH_HEAD + request_body(number) + _DISPATCH_TAIL


def _dispatch_around(body: bytes) -> tuple[bytes, bytes]:
    word, address = bytes(32), bytes(20)
    order = Dispatch(word, word, address, address, word, word, address, 1, 1, 1, 1, 1, word, word)
    envelope = DispatchEnvelope(order.packed(), Seal(bytes(65), 0, 1, ()), word, MODEL, body)
    head, _, tail = encode(envelope).partition(body)
    return head, tail


_DISPATCH_HEAD, _DISPATCH_TAIL = _dispatch_around(request_body(0))


class Reply:
    """The completion, for known token counts: the mock of an engine cannot count, and a node must not lie."""

    def __init__(self, tokens_in: int = 200, tokens_out: int = 160) -> None:
        self.tokens_in, self.tokens_out = tokens_in, tokens_out
        self._tail = _REPLY_TAIL % (tokens_in, tokens_out, tokens_in + tokens_out)
        head_bytes = len(_REPLY_HEAD % bytes(ID_DIGITS))
        self._filler = _filler(REPLY_BYTES - head_bytes - NUMBER_DIGITS - len(self._tail))
        self._rest = b"%08d" + self._filler + self._tail

    def body(self, number: int, name: bytes = b"0" * ID_DIGITS) -> bytes:
        """The completion with this number; REPLY_BYTES long with a name of ID_DIGITS."""
        return _REPLY_HEAD % name + self._rest % number

    def text(self, number: int) -> bytes:
        """What the assistant says in it."""
        return b"Note %08d%s" % (number, self._filler)
