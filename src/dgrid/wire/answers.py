"""What an answer says, streamed or whole: the one text that `outputHash` covers.

The text of one choice is its content, then for each tool call 0x1F, its name, 0x1F, its arguments. Several choices are
joined by 0x1E. So a streamed answer and the same answer sent whole have the same hash; a reader needs only the text.
"""

from itertools import zip_longest
from typing import Any

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.keccak import salted_hash
from dgrid.wire.openai import CHOICES_MAX, ChoiceDelta, Chunk, decode_chunk

CHOICE_SEPARATOR = "\x1e"
CALL_SEPARATOR = "\x1f"
TOOL_CALLS_MAX = 128


def choices_of(text: str) -> list[str]:
    """The choices of an answer's text, at most CHOICES_MAX: what a node writes behind these stays in the last one."""
    return text.split(CHOICE_SEPARATOR, CHOICES_MAX - 1)


def call_parts(choice: str) -> list[str]:
    """A choice's content, then the names and arguments of its tool calls in turn; of too many the rest in the last."""
    return choice.split(CALL_SEPARATOR, 2 * TOOL_CALLS_MAX)


def calls_of(choice: str) -> list[tuple[str, str]]:
    """The name and the arguments of each tool call; a node may leave the last one's arguments out."""
    _, *said = call_parts(choice)
    return list(zip_longest(said[::2], said[1::2], fillvalue=""))


class Answer:
    """Folds chunks, or one whole completion, into text."""

    __slots__ = ("_calls", "_texts", "finish_reasons")

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, dict[int, list[str]]] = {}
        self.finish_reasons: dict[int, str] = {}

    def add(self, chunk: Chunk) -> None:
        """Takes one chunk in. Raises NodeMisbehaved when it breaks a bound."""
        for choice in chunk.choices:
            if not 0 <= choice.index < CHOICES_MAX:
                raise NodeMisbehaved(f"choice {choice.index} was not asked for")
            said = choice.delta or choice.message
            texts = self._texts.setdefault(choice.index, [])
            if said is not None and said.content:
                texts.append(said.content)
            if said is not None and said.tool_calls:
                self._add_calls(choice.index, said)
            if choice.finish_reason:
                self.finish_reasons[choice.index] = choice.finish_reason

    def _add_calls(self, index: int, said: ChoiceDelta) -> None:
        calls = self._calls.setdefault(index, {})
        for position, call in enumerate(said.tool_calls or ()):
            at = call.get("index", position)
            if not isinstance(at, int) or not 0 <= at < TOOL_CALLS_MAX:
                raise NodeMisbehaved(f"at most {TOOL_CALLS_MAX} tool calls")
            name, arguments = _call_parts(call)
            known = calls.setdefault(at, ["", ""])
            known[0] += name
            known[1] += arguments

    @property
    def has_calls(self) -> bool:
        """Whether any choice calls a tool."""
        return bool(self._calls)

    @property
    def is_empty(self) -> bool:
        return not self._calls and not any(self._texts.values())

    def choice_text(self, index: int) -> str:
        """One choice's content and tool calls."""
        text = "".join(self._texts.get(index, ()))
        if (calls := self._calls.get(index)) is None:
            return text
        return CALL_SEPARATOR.join([text, *(part for at in sorted(calls) for part in calls[at])])

    def text(self) -> str:
        """The text of the whole answer."""
        if not self._calls and len(self._texts) == 1:
            (texts,) = self._texts.values()
            return texts[0] if len(texts) == 1 else "".join(texts)
        return CHOICE_SEPARATOR.join(self.choice_text(index) for index in sorted(self._texts))

    def output_hash(self, salt: bytes) -> bytes:
        """keccak(salt ‖ text in UTF-8)."""
        return salted_hash(salt, self.text().encode())


def _call_parts(call: dict[str, Any]) -> tuple[str, str]:
    function = call.get("function")
    if not isinstance(function, dict):
        return "", ""
    return str(function.get("name") or ""), str(function.get("arguments") or "")


def answer_of(body: bytes) -> Answer:
    """The answer in a whole completion. Raises ValueError."""
    answer = Answer()
    answer.add(decode_chunk(body))
    return answer
