"""Makes canaries: known-answer tasks, written as a client writes them. Chance is passed in: one seed, one task.

What a node or an evaluator sees of a canary must not tell it from anybody's request: bodies are written by what writes
clients' bodies, with the options that people set, for the models that people name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from dgrid.author.chance import Chance
from dgrid.author.naming import VIRTUAL_NAMES, Answering, wanted
from dgrid.author.questions import (
    WHAT_OF_IT,
    Place,
    Task,
    as_object,
    lettered,
    quoted,
    several,
    short,
    single,
    summary,
    unanswerable,
    whole,
    yes_or_no,
)
from dgrid.author.sorting import mood, risk, subject_matter
from dgrid.author.stock import OwnQuestion
from dgrid.author.talk import BUILT_IN, beyond, small_talk
from dgrid.poq.tasks import task_of
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

LAYOUTS: Final = (
    ("{t}\n{q}", 24), ("{t} {q}", 24), ("{t}\n\n{q}", 14), ("Text: {t}\nQuestion: {q}", 12),
    ("Context: {t}\n\nQuestion: {q}", 6), ("Context: {t}\nQuestion: {q}\nAnswer:", 4), ("{q}\n\n{t}", 4),
    ("{q}\nText: {t}", 5), ("Read this text: {t}\n{q}", 4), ('Here is a text: "{t}"\n{q}', 3), ("Text: {t}\n{q}", 6),
)  # fmt: skip
OPENINGS: Final = {
    Place.BEFORE: ("", "", "Text: ", "Here is a text: ", "Read this: "),
    Place.SYSTEM: ("Text: ", "Context: ", "Answer from this text: ", ""),
}
TASKS: Final[tuple[tuple[Callable[[Chance], Task], int], ...]] = (
    (single(short), 70), (single(whole), 40), (single(yes_or_no), 40), (single(lettered), 30), (single(as_object), 50),
    (single(unanswerable), 30), (single(quoted), 25), (several, 45), (summary, 40), (risk, 30), (mood, 20),
    (subject_matter, 20),
)  # fmt: skip
"""All kinds of tasks that any model can do, each with how often it comes: as the built-in models' card counts them."""
TALK: Final[tuple[tuple[Callable[[Chance], Task], int], ...]] = ((small_talk, 25), (beyond, 50))
STREAMED_PERCENT, LIMITED_PERCENT, COOL_PERCENT, TYPED_PERCENT = 40, 40, 35, 30
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


def known_task(chance: Chance, *, answering: Answering, write: WriteBody) -> KnownTask:
    """A new task for one of the models, or for whichever the gateway chooses."""
    model = wanted(chance, answering)
    kinds = TASKS + TALK if _answerers(model, answering) <= BUILT_IN else TASKS
    task = chance.weighted([make for make, _ in kinds], [weight for _, weight in kinds])(chance)
    options = _options(chance, task.reference, task.schema)
    return _asked(chance, Posed(_messages(chance, task), options, task.reference), model=model, write=write)


def own_task(chance: Chance, question: OwnQuestion, *, answering: Answering, write: WriteBody) -> KnownTask:
    """One of the author's own questions, for whom as any other. Options that its source never sets would tell it."""
    options = {**_typed(chance, question.schema), **question.options}
    messages = [_said(role, content) for role, content in question.messages]
    posed = Posed(messages, options, question.reference)
    return replace(_asked(chance, posed, model=wanted(chance, answering), write=write), question=question.name)


def _answerers(name: str, answering: Answering) -> set[str]:
    """Who might answer what asks for a name. Of a virtual one never tried that is anybody, so "" is among them."""
    return {*answering.models, answering.led_to.get(name, "")} if name in VIRTUAL_NAMES else {name}


def _asked(chance: Chance, posed: Posed, *, model: str, write: WriteBody) -> KnownTask:
    streamed = chance.maybe(STREAMED_PERCENT)
    body = write(posed.messages, model=model, streamed=streamed, options=posed.options)
    return KnownTask(body, model, streamed, posed.reference, task_of(decode_chat(body)))


def _messages(chance: Chance, task: Task) -> list[dict[str, str]]:
    questions = [*(asked for asked, _ in task.earlier), task.question]
    said: list[dict[str, str]] = []
    if task.place is Place.BESIDE:
        questions[0] = _laid_out(chance, task.text, questions[0])
    else:
        opening = chance.one(OPENINGS[task.place]) + task.text
        is_system = task.place is Place.SYSTEM
        said = [_said("system", opening)] if is_system else [_said("user", opening), _said("assistant", WHAT_OF_IT)]
    for asked, (_, answered) in zip(questions, task.earlier, strict=False):
        said += [_said("user", asked), _said("assistant", answered)]
    return [*said, _said("user", questions[-1])]


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
    return options | _typed(chance, schema)


def _typed(chance: Chance, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """An answer's schema asked for, with some of the requests."""
    if schema is None or not chance.maybe(TYPED_PERCENT):
        return {}
    typed = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": typed}}
