"""Makes canaries: known-answer tasks, written as a client writes them. Chance is passed in: one seed, one task.

What a node or an evaluator sees of a canary must not tell it from anybody's request: bodies are written by what writes
clients' bodies, with the options that people set, for the models that people name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from dgrid.author.chance import Chance
from dgrid.author.questions import TASKS, Task
from dgrid.author.stock import OwnQuestion
from dgrid.poq.tasks import task_of
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

LAYOUTS: Final = (
    ("{t}\n{q}", 30), ("{t} {q}", 24), ("{t}\n\n{q}", 20), ("Note: {t}\n{q}", 8), ("Text: {t}\n\n{q}", 8),
    ("{q}\n{t}", 5), ("Message: {t}\nQuestion: {q}", 5),
)  # fmt: skip
SYSTEM: Final = (
    "Answer from the text only.",
    "You answer questions for a help desk.",
    "Keep your answers short.",
    "You are a precise assistant.",
)
NAMED_PERCENT, STREAMED_PERCENT, SYSTEM_PERCENT, LIMITED_PERCENT, COOL_PERCENT, TYPED_PERCENT = 45, 40, 15, 40, 35, 30
VIRTUAL: Final = (("auto", 8), ("auto:cheap", 1), ("auto:fast", 1), ("auto:best", 1))
LIMITS: Final = (48, 64, 96, 100, 128)
CHARACTERS_A_TOKEN: Final = 2  # at least, in a short answer


class WriteBody(Protocol):
    """How a client writes a chat request."""

    def __call__(
        self, messages: list[dict[str, str]], *, model: str, streamed: bool, options: dict[str, Any]
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KnownTask:
    """One request as it goes out, and the answer that its author knows."""

    body: bytes
    model: str
    streamed: bool
    reference: str
    kind: TaskType
    question: bytes = b""  # the name of the author's own question that it is, if it is one


@dataclass(frozen=True, slots=True)
class Posed:
    """What is asked, and the answer, before it is known whom it is asked of."""

    messages: list[dict[str, str]]
    options: dict[str, Any]
    reference: str


def known_task(chance: Chance, *, models: Sequence[str], write: WriteBody) -> KnownTask:
    """A new task for one of the models, or for whichever the gateway chooses."""
    make = chance.weighted([make for make, _ in TASKS], [weight for _, weight in TASKS])
    task = make(chance)
    options = _options(chance, task.reference, task.schema)
    return _asked(chance, Posed(_messages(chance, task), options, task.reference), models=models, write=write)


def own_task(chance: Chance, question: OwnQuestion, *, models: Sequence[str], write: WriteBody) -> KnownTask:
    """One of the author's own questions, for whom and with what else as any other."""
    options = {**_options(chance, question.reference, question.schema), **question.options}
    if "max_completion_tokens" in question.options:
        options.pop("max_tokens", None)
    messages = [_said(role, content) for role, content in question.messages]
    asked = _asked(chance, Posed(messages, options, question.reference), models=models, write=write)
    return replace(asked, question=question.name)


def _asked(chance: Chance, posed: Posed, *, models: Sequence[str], write: WriteBody) -> KnownTask:
    model = chance.one(models) if models and chance.maybe(NAMED_PERCENT) else _virtual(chance)
    streamed = chance.maybe(STREAMED_PERCENT)
    body = write(posed.messages, model=model, streamed=streamed, options=posed.options)
    return KnownTask(body, model, streamed, posed.reference, task_of(decode_chat(body)))


def _virtual(chance: Chance) -> str:
    return chance.weighted([name for name, _ in VIRTUAL], [weight for _, weight in VIRTUAL])


def _messages(chance: Chance, task: Task) -> list[dict[str, str]]:
    system = [_said("system", chance.one(SYSTEM))] if chance.maybe(SYSTEM_PERCENT) else []
    if task.earlier is None:
        return [*system, _said("user", _laid_out(chance, task.text, task.question))]
    asked, answered = task.earlier
    first = _said("user", _laid_out(chance, task.text, asked))
    return [*system, first, _said("assistant", answered), _said("user", task.question)]


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _laid_out(chance: Chance, text: str, question: str) -> str:
    if not text:
        return question
    if "{t}" in question:
        return question.replace("{t}", text)
    layout = chance.weighted([layout for layout, _ in LAYOUTS], [weight for _, weight in LAYOUTS])
    return layout.replace("{t}", text).replace("{q}", question)


def _options(chance: Chance, reference: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """What people set. No limit is drawn that might cut the right answer short."""
    options: dict[str, Any] = {}
    limits = [limit for limit in LIMITS if limit * CHARACTERS_A_TOKEN >= len(reference)]
    if limits and chance.maybe(LIMITED_PERCENT):
        options["max_tokens"] = chance.one(limits)
    if chance.maybe(COOL_PERCENT):
        options["temperature"] = 0
    if schema is not None and chance.maybe(TYPED_PERCENT):
        typed = {"name": "answer", "schema": schema, "strict": True}
        options["response_format"] = {"type": "json_schema", "json_schema": typed}
    return options
