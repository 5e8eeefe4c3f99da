"""Gate B: whether an answer has the form that its request asked for. No opinion on whether it is right.

Every fault has a ceiling; an answer scores the lowest ceiling of its faults, and several choices their mean. Only what
a rule can tell is checked here.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from dgrid.core.money import BPS
from dgrid.poq.schema import fits_schema
from dgrid.poq.tasks import clipped, last_said, wants_json
from dgrid.poq.words import is_looping, parts, words
from dgrid.wire.answers import CALL_SEPARATOR, CHOICE_SEPARATOR
from dgrid.wire.openai import ChatRequest

SENTENCES_ALLOWED: Final = 2  # where one was asked for: a full stop inside it is no fault
BRIEF_WORDS_MAX: Final = 30  # where a brief answer was asked for
GARBAGE_LENGTH_MIN: Final = 12  # characters below which nothing is called garbage
READABLE_SHARE: Final = (1, 2)  # of the characters are letters, digits or spaces in any readable text
WORD_LENGTH_MAX: Final = 80  # characters in a row without a space, in a text that is no address and no code

ONE_SENTENCE: Final = re.compile(
    r"\b(?:in|with|use|as) (?:a|one|a single) (?:full |single |short )?sentence\b", re.IGNORECASE
)
BRIEF: Final = re.compile(
    r"\b(?:answer (?:briefly|shortly)|short answer|in a few words|be brief|one word)\b", re.IGNORECASE
)
CONTROL_TEXT: Final = re.compile(
    r"<\|[a-z_0-9]{2,24}\|>|</?s>|<(?:pad|unk|bos|eos|start_of_turn|end_of_turn)>|\[/?INST\]|<0x[0-9A-F]{2}>"
)
PARSING: Final = msgspec.json.Decoder(dict[str, Any])


class Fault(StrEnum):
    """What can be wrong with an answer's form."""

    EMPTY = "empty"
    COUNT = "count"  # another number of choices than asked for
    JSON = "json"  # an object was asked for, and this is none
    SCHEMA = "schema"
    UNDECODED = "undecoded"  # control tokens or broken characters
    LOOP = "loop"
    GARBAGE = "garbage"
    STOP = "stop"  # goes on behind a stop text
    LONG = "long"  # much more than the sentence or the few words asked for
    CALL = "call"  # a tool that was not offered, arguments that do not fit, or no call where one was demanded


CEILINGS_BPS: Final[Mapping[Fault, int]] = {
    Fault.EMPTY: 0,
    Fault.COUNT: 5_000,
    Fault.JSON: 0,
    Fault.SCHEMA: 3_000,
    Fault.UNDECODED: 3_000,
    Fault.LOOP: 1_000,
    Fault.GARBAGE: 1_000,
    Fault.STOP: 5_000,
    Fault.LONG: 7_000,
    Fault.CALL: 2_000,
}


def format_score(chat: ChatRequest, answer: str) -> int:
    """How far the answer keeps the form, 0 to 10,000; rounded down. `answer` holds all choices, as `outputHash` covers
    them.
    """
    choices = answer.split(CHOICE_SEPARATOR)
    each = [lowest_ceiling(choice_faults(chat, choice)) for choice in choices]
    whole = BPS if len(choices) == (chat.n or 1) else CEILINGS_BPS[Fault.COUNT]
    return min(sum(each) // len(each), whole)


def lowest_ceiling(faults: Iterator[Fault]) -> int:
    return min((CEILINGS_BPS[fault] for fault in faults), default=BPS)


def choice_faults(chat: ChatRequest, choice: str) -> Iterator[Fault]:
    """The faults of one choice's content and tool calls."""
    content, *calls = choice.split(CALL_SEPARATOR)
    yield from call_faults(chat, calls)
    if calls and not content:
        return
    if not visible(content):
        yield Fault.EMPTY
        return
    yield from (json_faults(chat, content) if wants_json(chat) else prose_faults(chat, content))
    if "\ufffd" in content or CONTROL_TEXT.search(content) or has_control_signs(content):
        yield Fault.UNDECODED
    if any(stop and stop in content for stop in stop_texts(chat)):
        yield Fault.STOP


def json_faults(chat: ChatRequest, content: str) -> Iterator[Fault]:
    """Of an answer that must be an object: whether it is one, and of the shape that was asked for."""
    value = parsed_object(content)
    if value is None:
        yield Fault.JSON
    elif not fits_schema(value, demanded_schema(chat)):
        yield Fault.SCHEMA


def prose_faults(chat: ChatRequest, content: str) -> Iterator[Fault]:
    """Of an answer in words: loops, what nobody can read, and more than the sentence or the few words asked for."""
    if is_looping(content):
        yield Fault.LOOP
    if is_garbage(content):
        yield Fault.GARBAGE
    asked = clipped(last_said(chat.messages))
    several = len(parts(content)) > SENTENCES_ALLOWED and ONE_SENTENCE.search(asked)
    if several or (len(words(content)) > BRIEF_WORDS_MAX and BRIEF.search(asked)):
        yield Fault.LONG


def call_faults(chat: ChatRequest, calls: list[str]) -> Iterator[Fault]:
    """Tool calls as names and arguments in turn."""
    offered = dict(map(tool_of, chat.tools or ()))
    demanded = isinstance(chat.tool_choice, dict) or chat.tool_choice == "required"
    wrong = len(calls) % 2 == 1 or (bool(calls) and chat.tool_choice == "none") or (demanded and not calls)
    for name, arguments in zip(calls[::2], calls[1::2], strict=False):
        value = parsed_object(arguments or "{}")
        wrong = wrong or name not in offered or value is None or not fits_schema(value, offered[name])
    if wrong:
        yield Fault.CALL


def tool_of(tool: Mapping[str, Any]) -> tuple[str, Any]:
    """An offered tool's name, and the schema of its arguments."""
    function = tool.get("function")
    function = function if isinstance(function, dict) else {}
    return str(function.get("name", "")), function.get("parameters")


def demanded_schema(chat: ChatRequest) -> Any:
    """The schema of the answer that the request holds; None where it has none."""
    described = (chat.response_format or {}).get("json_schema")
    return described.get("schema") if isinstance(described, dict) else None


def parsed_object(content: str) -> dict[str, Any] | None:
    """The object that a text is, from its first sign to its last; None for anything else."""
    try:
        return PARSING.decode(content.encode())
    except (ValueError, RecursionError):
        return None


def stop_texts(chat: ChatRequest) -> list[str]:
    return [chat.stop] if isinstance(chat.stop, str) else chat.stop or []


def visible(text: str) -> bool:
    """Whether there is anything to see: letters, digits or signs, not white space and invisible characters alone."""
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


def has_control_signs(text: str) -> bool:
    return any(unicodedata.category(sign) == "Cc" and sign not in "\t\n\r" for sign in text)


def is_garbage(text: str) -> bool:
    """Whether hardly anything in a text can be read: signs in place of letters, or one endless word."""
    stripped = text.strip()
    if len(stripped) < GARBAGE_LENGTH_MIN:
        return not any(sign.isalnum() for sign in stripped)
    readable = sum(sign.isalnum() or sign.isspace() for sign in stripped)
    endless = any(len(word) > WORD_LENGTH_MAX and word.isascii() and "/" not in word for word in stripped.split())
    return readable * READABLE_SHARE[1] < len(stripped) * READABLE_SHARE[0] or (endless and "`" not in stripped)
