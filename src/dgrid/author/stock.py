"""An author's own questions: known-answer tasks out of a file, each asked once.

What the generator writes can be told from traffic that it does not know; labelled questions of the traffic's own source
cannot. A file is refused whole at its first bad line: a canary with a wrong answer harms honest nodes. No message of
this module holds what a question says.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from dgrid.config import ConfigError
from dgrid.core.errors import DGridError
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS
from dgrid.poq.fields import fields_score
from dgrid.poq.tasks import task_of
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

QUESTIONS_MAX: Final = 50_000
LINE_BYTES_MAX: Final = 64 * 1024
BYTES_MAX: Final = 256 * 1024**2  # of all files together: what they say stays in memory
REFERENCE_MAX: Final = 8_000  # characters
HINT: Final = 'a line is {"messages": [{"role": "user", "content": "…"}], "reference": "…"}'
OPTIONS: Final = (
    "response_format", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop"
)  # fmt: skip
"""What a question may set, as OpenAI names it. It is asked with these alone, as its source's requests have them."""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a question, in OpenAI's form."""

    role: Literal["system", "user", "assistant"]
    content: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a file. `id` and `task` are its owner's notes, and not read."""

    messages: tuple[Message, ...]
    reference: str
    schema: dict[str, Any] | None = None  # of the answer: asked for with some of the requests
    response_format: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    id: Any = None
    task: Any = None


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """One question of an author's own. `name` is the same wherever its messages are."""

    name: bytes
    messages: tuple[tuple[str, str], ...]  # role, content
    reference: str
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """An author's own questions, and the share of canaries that they are while fresh ones last."""

    questions: tuple[OwnQuestion, ...] = ()
    share_bps: int = BPS

    def __post_init__(self) -> None:
        if not 0 <= self.share_bps <= BPS:
            raise ConfigError(f"questions_bps is 0 to {BPS:,}, not {self.share_bps:,}")

    def fresh(self, used: Collection[bytes]) -> list[OwnQuestion]:
        """Those that were never asked, as the file has them."""
        return [question for question in self.questions if question.name not in used]


def read_questions(path: Path) -> tuple[OwnQuestion, ...]:
    """The questions of a JSON Lines file, or of all such files in a folder; what stands there twice counts once.

    Raises ConfigError.
    """
    found: dict[bytes, OwnQuestion] = {}
    for place, content in _lines(path):
        question = _question(place, content)
        if found.setdefault(question.name, question).reference != question.reference:
            raise ConfigError(f"{place} gives another answer to what stands there before", hint="keep the right one")
        if len(found) > QUESTIONS_MAX:
            raise ConfigError(f"{path} holds more than {QUESTIONS_MAX:,} questions", hint="use some of them")
    if not found:
        raise ConfigError(f"{path} holds no question", hint=HINT)
    return tuple(found.values())


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each line that says anything, and where it stands; of one that is too long, the front. Raises ConfigError."""
    files, left = sorted(path.glob("*.jsonl")) if path.is_dir() else [path], BYTES_MAX
    for file in files:
        try:
            with file.open("rb") as opened:
                for at, line in enumerate(iter(partial(opened.readline, LINE_BYTES_MAX + 2), b""), 1):
                    if (left := left - len(line)) < 0:
                        raise ConfigError(f"{path} holds more than {BYTES_MAX // 1024**2} MiB", hint="use some of it")
                    if line.strip():
                        yield f"{file}, line {at}", line.rstrip(b"\n")
        except OSError as error:
            raise ConfigError(f"cannot read the questions in {file}: {error.strerror}") from None


def _question(place: str, content: bytes) -> OwnQuestion:
    """Raises ConfigError."""
    if len(content) > LINE_BYTES_MAX:
        raise ConfigError(f"{place} is longer than {LINE_BYTES_MAX // 1024} KiB")
    try:
        line = msgspec.json.decode(content, type=Line)
        messages = tuple((message.role, message.content) for message in line.messages)
        options = {name: value for name in OPTIONS if (value := getattr(line, name)) is not None}
        chat = decode_chat(_body(messages, options))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{place}: {str(error)[:160]}", hint=HINT) from None
    except DGridError as error:
        raise ConfigError(f"{place}: {error.message[:160]}", hint=HINT) from None
    if wrong := _fault(line, is_json=line.schema is not None or task_of(chat) is TaskType.JSON):
        raise ConfigError(f"{place}: {wrong}", hint=HINT)
    return OwnQuestion(keccak(_body(messages, {})), messages, line.reference.strip(), options, line.schema)


def _body(messages: tuple[tuple[str, str], ...], options: Mapping[str, Any]) -> bytes:
    said = [{"role": role, "content": content} for role, content in messages]
    return msgspec.json.encode({"model": "auto", "messages": said, **options})


def _fault(line: Line, *, is_json: bool) -> str:
    """What is wrong with a question, if anything. `is_json`: an object or a list may be asked for."""
    reference = line.reference
    if line.messages[-1].role != "user":
        return "the last message must be the user's"
    if not all(message.content.strip() for message in line.messages):
        return "a message is empty"
    if not reference.strip():
        return "the reference is empty"
    if len(reference) > REFERENCE_MAX:
        return f"the reference is longer than {REFERENCE_MAX:,} characters"
    if is_json and fields_score(reference, reference) is None:
        return "it asks for JSON, and the reference is neither an object nor a list"
    return ""
