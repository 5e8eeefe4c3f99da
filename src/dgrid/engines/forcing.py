"""Gate A: does what a node says of its tokens fit the model that it claims?

The claimed model reads the prompt and the committed tokens once (teacher forcing) and says how likely each was; an
honest node reported the same, up to rounding. The prompt is rendered and cut as the node's llama.cpp does it, by
`templates` and `tokenizers`. A measurement of numbers, never a verdict: how much gap is too much is `poq`'s to say.
Requests whose prompt cannot be rebuilt here (tools, pictures, a template not known) give no measurement.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from dgrid.core.errors import RequestError
from dgrid.engines.engine import EngineCannotStart, EngineUnavailable
from dgrid.engines.models import ModelFacts
from dgrid.engines.requests import conversation, read_fields
from dgrid.engines.tokenizers import Tokenizer
from dgrid.wire.answers import CALL_SEPARATOR, CHOICE_SEPARATOR
from dgrid.wire.evidence import ChoiceEvidence, decode_evidence
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import Content, Identity

logger = logging.getLogger(__name__)

CHILD_MODULE: Final = "dgrid.engines.forcing_child"
START_DEADLINE_S: Final = 30.0
TASK_DEADLINE_S: Final = 120.0
STOP_GRACE_S: Final = 2.0
LINE_BYTES_MAX: Final = 32 * 1024**2
CONTEXT_MAX: Final = 8192  # as a node bounds it
MICROS: Final = 1_000_000
FLOOR_NATS: Final = -8.0
"""Below it two log-probabilities count as equal: a grammar forces tokens that no model would choose, and rounding
shifts those by up to a nat. Measured, it takes a quarter of an honest node's gap off such answers.
"""
TIE_NATS: Final = 0.5
"""A token this far behind the best was not the first choice of the claimed model. Of an honest node's none is, in 1,710
greedy answers of the built-in models; of another model's 3 to 9 in a hundred are (`benchmarks.gaps`).
"""
ROUNDED_UP_NATS: Final = 1e-3  # a logarithm of a probability is at most 0, but for rounding
SHIFTING: Final = frozenset(
    {"temperature", "response_format", "logit_bias", "presence_penalty", "frequency_penalty", "tools"}
)
UNSET: Final = (b"null", b"0", b"0.0", b"{}", b"[]", b'{"type":"text"}')
WORST_MICROS: Final = int(-FLOOR_NATS * MICROS)


class ScoredReply(msgspec.Struct):
    logprobs: list[float]
    best: list[float]


class Result(msgspec.Struct):
    """What the child answers."""

    replies: list[ScoredReply] = []
    error: str = ""
    ready: bool = False


read_result = msgspec.json.Decoder(Result).decode


class Forcing:
    """Measures answers of the models it was given, by digest. One at a time, in a child process that starts when the
    first is asked for and is started again when it dies.
    """

    def __init__(self, models: Mapping[bytes, ModelFacts], *, python: str = sys.executable) -> None:
        self._models = dict(models)
        self._python = python
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The models that can be measured, ascending: what an evaluator declares."""
        return tuple(sorted(digest for digest, facts in self._models.items() if prompt_maker(facts) is not None))

    async def measure(self, digest: bytes, content: Content) -> Identity | None:
        """How well a leaf's evidence fits the claimed model; None where that cannot be told.

        Evidence that is no evidence, or of another answer than the one given, measures as badly as can be. Raises
        EngineUnavailable, EngineCannotStart.
        """
        facts = self._models.get(digest)
        tokenizer = None if facts is None else prompt_maker(facts)
        prompt = None if tokenizer is None else prompt_of(content.request, tokenizer)
        if facts is None or tokenizer is None or prompt is None or CALL_SEPARATOR in content.answer:
            return None
        choices = read_evidence(content.evidence)
        if choices is None or not fits_answer(choices, content, tokenizer=tokenizer):
            return as_bad_as_can_be(choices or ())
        spoken = [choice for choice in choices if choice.ids]
        if not spoken:
            return None
        result = await self._score(task_of(facts, prompt, choices=spoken))
        if result.error:  # tokens outside of the vocabulary, or more than the model can hold
            logger.info("an answer cannot be of the claimed model: %s", result.error)
            return as_bad_as_can_be(spoken)
        return compare(spoken, result.replies, is_greedy=is_greedy(content.request))

    async def stop(self) -> None:
        """Ends the child."""
        async with self._turn:
            await self._end()

    async def _score(self, task: object) -> Result:
        async with self._turn:
            try:
                async with asyncio.timeout(TASK_DEADLINE_S):
                    child = self._child or await self._start()
                    return await exchange(child, task)
            except (TimeoutError, OSError, EOFError, ValueError) as error:
                await self._end()
                raise EngineUnavailable("the process that scores tokens ended or is stuck") from error
            except BaseException:
                await self._end()  # its answer would be taken for the next one's
                raise

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        self._child = child = await asyncio.create_subprocess_exec(
            self._python,
            "-m",
            CHILD_MODULE,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES_MAX,
        )
        async with asyncio.timeout(START_DEADLINE_S):
            first = await read_line(child)
        if first.error:
            raise EngineCannotStart(f"tokens cannot be scored here: {first.error}", hint="run `make setup` again")
        return child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None or child.stdin is None:
            return
        child.stdin.close()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def prompt_maker(facts: ModelFacts) -> Tokenizer | None:
    """The model's tokenizer where it knows how to write a prompt, and how a reply reads."""
    return facts.tokenizer if facts.tokenizer is not None and facts.tokenizer.template is not None else None


def prompt_of(request: bytes, tokenizer: Tokenizer) -> list[int] | None:
    """The tokens that the model reads of a body; None where more than the messages shapes it, or it cannot be cut."""
    try:
        chat = decode_chat(request)
    except RequestError:
        return None
    turns = conversation(chat.messages)
    return None if turns is None or chat.tools else tokenizer.prompt_tokens(turns)


def task_of(facts: ModelFacts, prompt: list[int], *, choices: Sequence[ChoiceEvidence]) -> dict[str, object]:
    """A task as the child reads it."""
    return {
        "model": str(facts.path.resolve()),
        "context": min(facts.context, CONTEXT_MAX),
        "prompt": prompt,
        "replies": [choice.ids for choice in choices],
    }


async def exchange(child: asyncio.subprocess.Process, task: object) -> Result:
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode(task) + b"\n")
    await child.stdin.drain()
    return await read_line(child)


async def read_line(child: asyncio.subprocess.Process) -> Result:
    """Raises EOFError when the child is gone."""
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return read_result(line)


def read_evidence(data: bytes) -> list[ChoiceEvidence] | None:
    """The choices, or None for bytes that are none, or log-probabilities that no model gives."""
    try:
        choices = decode_evidence(data)
    except ValueError:
        return None
    possible = all(value <= ROUNDED_UP_NATS for choice in choices for value in choice.logprobs)  # false for NaN
    return choices if possible else None


def fits_answer(choices: Sequence[ChoiceEvidence], content: Content, *, tokenizer: Tokenizer) -> bool:
    """Whether the committed tokens spell the answer: else good tokens could vouch for another text."""
    chat, answers = decode_chat(content.request), content.answer.split(CHOICE_SEPARATOR)
    texts = [tokenizer.text_of(choice.ids) for choice in choices]
    if len(texts) != len(answers) or None in texts:
        return False
    last, stops = chat.messages[-1], stop_texts(chat)
    begun = last.text() if last.role == "assistant" else ""  # llama.cpp says it again in front of a whole answer
    return all(
        is_spelling(text or "", answer, stops=stops) or is_spelling(begun + (text or ""), answer, stops=stops)
        for text, answer in zip(texts, answers, strict=True)
    )


def is_spelling(text: str, answer: str, *, stops: Sequence[str]) -> bool:
    """Whether tokens that read `text` gave `answer`: white space around it is taken off, a character that the end cut
    in two is left out, and a stop text or its beginning may stand behind it.
    """
    ours, theirs = text.rstrip("\ufffd").strip(), answer.rstrip("\ufffd").strip()
    if ours == theirs:
        return True
    rest = ours.removeprefix(theirs).lstrip()
    return ours.startswith(theirs) and any(rest.startswith(stop) or stop.startswith(rest) for stop in stops)


def stop_texts(chat: ChatRequest) -> list[str]:
    stops = [chat.stop] if isinstance(chat.stop, str) else chat.stop or []
    return [stop.strip() for stop in stops if stop]


def is_greedy(request: bytes) -> bool:
    """Whether each token must be the model's first choice: no temperature (the built-in models' default), and nothing
    that shifts or forbids tokens.
    """
    fields = {name for name, value in read_fields(request).items() if bytes(value) not in UNSET}
    return fields.isdisjoint(SHIFTING)


def compare(choices: Sequence[ChoiceEvidence], scored: Sequence[ScoredReply], *, is_greedy: bool) -> Identity:
    """The figures over all tokens of all choices."""
    committed = [max(value, FLOOR_NATS) for choice in choices for value in choice.logprobs]
    forced = [value for reply in scored for value in reply.logprobs]
    best = [value for reply in scored for value in reply.best]
    gaps = [abs(ours - max(theirs, FLOOR_NATS)) for ours, theirs in zip(committed, forced, strict=True)]
    behind = sum(top - value > TIE_NATS for top, value in zip(best, forced, strict=True))
    count = len(gaps)
    return Identity(
        tokens=count,
        gap_micros=round(MICROS * sum(gaps) / count),
        worst_gap_micros=round(MICROS * max(gaps)),
        misses=behind if is_greedy else 0,
        likelihood_micros=min(0, round(MICROS * sum(forced) / count)),
    )


def as_bad_as_can_be(choices: Sequence[ChoiceEvidence]) -> Identity:
    tokens = max(1, sum(len(choice.ids) for choice in choices))
    return Identity(tokens, WORST_MICROS, WORST_MICROS, tokens, -WORST_MICROS)
