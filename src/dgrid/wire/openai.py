"""OpenAI's bodies: tolerant of what we do not know, strict about what we act on.

Requests are decoded only in part: unknown fields pass through to the node untouched, and no field whose name merely
looks like a routing wish is ever read.
"""

from typing import Any

import msgspec

from dgrid.core.errors import InvalidJson, InvalidRequest
from dgrid.wire.decoding import decode_with

MESSAGES_MAX = 2048
CHOICES_MAX = 8
STOPS_MAX = FALLBACKS_MAX = 16
DEPTH_MAX = 64
ABOUT_THE_WAY = frozenset({"models", "provider", "dgrid"})  # who may serve a request and how, not what is asked


class ChatMessage(msgspec.Struct, gc=False):
    """One message of a conversation; content is text, parts, or absent (tool calls)."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None

    def text(self) -> str:
        """All text of the message; parts that are not text add nothing."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool = False


class MaxPrice(msgspec.Struct, gc=False):
    """Highest prices the caller accepts, in wei per million tokens, as decimal strings or whole numbers."""

    prompt: str | int | None = None
    completion: str | int | None = None


class ProviderPreferences(msgspec.Struct, gc=False):
    """OpenRouter's routing wishes, which clients already send."""

    order: list[str] | None = None
    only: list[str] | None = None
    ignore: list[str] | None = None
    sort: str | None = None
    max_price: MaxPrice | None = None
    allow_fallbacks: bool = True


class DGridOptions(msgspec.Struct, gc=False):
    """DGrid's own wishes."""

    privacy: str = "committee"
    verify: str = "signed"
    budget: str | int | None = None  # highest fee for this request, wei
    explain: bool = False
    seed: int | None = None  # like the request's own, but the node meets it in the dispatch alone


class ChatRequest(msgspec.Struct, gc=False):
    """The fields of a chat completion request that the gateway and the node act on."""

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    models: list[str] | None = None
    provider: ProviderPreferences | None = None
    dgrid: DGridOptions | None = None

    @property
    def completion_limit(self) -> int | None:
        """The caller's own cap on completion tokens."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def wanted_seed(self) -> int | None:
        """The seed that the caller asks for, in the one place or the other."""
        return self.dgrid.seed if self.seed is None and self.dgrid is not None else self.seed


_chat_decoder = msgspec.json.Decoder(ChatRequest)


def decode_chat(body: bytes) -> ChatRequest:
    """The request in `body`. Raises InvalidJson when it is no JSON, InvalidRequest when a field is wrong."""
    try:
        request = _chat_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error), param=_param(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJson(f"the body is not valid JSON: {error}") from None
    _check_ranges(request)
    return request


def _check_ranges(request: ChatRequest) -> None:
    if not 1 <= len(request.messages) <= MESSAGES_MAX:
        raise _out_of_range("messages", f"1 to {MESSAGES_MAX} messages")
    if request.n is not None and not 1 <= request.n <= CHOICES_MAX:
        raise _out_of_range("n", f"1 to {CHOICES_MAX} choices")
    if request.completion_limit is not None and request.completion_limit < 1:
        name = "max_tokens" if request.max_completion_tokens is None else "max_completion_tokens"
        raise _out_of_range(name, "at least 1 token")
    if (seed := request.wanted_seed) is not None and not -(2**63) <= seed < 2**63:
        raise _out_of_range("seed" if request.seed is not None else "dgrid.seed", "a 64-bit integer")
    if request.stop is not None:
        _check_stop(request.stop)
    if request.models and len(request.models) > FALLBACKS_MAX:
        raise _out_of_range("models", f"at most {FALLBACKS_MAX} fallback models")
    _check_sampling(request)


def _check_stop(stop: str | list[str]) -> None:
    """An empty stop text would end every answer before its first letter."""
    texts = [stop] if isinstance(stop, str) else stop
    if len(texts) > STOPS_MAX or "" in texts:
        raise _out_of_range("stop", f"at most {STOPS_MAX} stop texts, none of them empty")


def _check_sampling(request: ChatRequest) -> None:
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise _out_of_range("temperature", "between 0 and 2")
    if request.top_p is not None and not 0 < request.top_p <= 1:
        raise _out_of_range("top_p", "above 0, at most 1")
    if request.top_logprobs is not None and not 0 <= request.top_logprobs <= 20:
        raise _out_of_range("top_logprobs", "0 to 20")


def _out_of_range(param: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {wanted}", param=param)


def _param(message: str) -> str | None:
    """Where msgspec found fault: the place it names, and the field it missed there."""
    _, _, place = message.rpartition("`$.")
    _, _, missed = message.partition("missing required field `")
    where = (place.rstrip("`") if place != message else "", missed.partition("`")[0])
    return ".".join(filter(None, where)) or None


class ChoiceDelta(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ChunkChoice(msgspec.Struct, gc=False):
    """A choice of a stream's chunk (`delta`) or of a whole completion (`message`)."""

    index: int = 0
    delta: ChoiceDelta | None = None
    message: ChoiceDelta | None = None
    finish_reason: str | None = None


class CompletionUsage(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Chunk(msgspec.Struct, gc=False):
    """A stream's chunk or a whole completion, as far as the gateway looks into it."""

    choices: list[ChunkChoice] = []
    usage: CompletionUsage | None = None
    model: str = ""


_chunk_decoder = msgspec.json.Decoder(Chunk)


def decode_chunk(data: bytes) -> Chunk:
    """Raises ValueError (msgspec's DecodeError is one)."""
    return decode_with(_chunk_decoder, data)
