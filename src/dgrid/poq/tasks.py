"""Tells by rules on a request what kind of work it asks for; scores are compared within one kind only.

It looks at the request alone, never at an answer, so that no node can choose the kind it is judged by. It does not
understand: what no rule catches is `chat`. Gateways run it on whatever anybody sends, so each rule takes linear time.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from dgrid.wire.openai import ChatMessage, ChatRequest
from dgrid.wire.quality import TaskType

TEXT_LOOKED_AT: Final = 20_000  # characters of a message, from its front and from its end
EARLIER_LOOKED_AT: Final = 100_000  # characters of all messages before it
TEXT_WORDS_MIN: Final = 3  # besides the question: fewer words are no text to find an answer in

JSON_WORD: Final = re.compile(r"\bJSON\b", re.IGNORECASE)
OPTION: Final = re.compile(r"(?:^|[\s,;:(])([A-H])[).]\s*\S", re.MULTILINE)
SUMMARY: Final = re.compile(
    r"\b(?:summari[sz]e|summari[sz]ation|summary|tl;?\s?dr|key sentence|main (?:point|idea|message)|gist|"
    r"most important sentence|in a nutshell)\b|\bwhat is (?:this|the) (?:text |passage |article )?about\b|\bshorten\b",
    re.IGNORECASE,
)
CLASSIFY: Final = re.compile(
    r"\b(?:sentiment|classify|classification|categori[sz]e|yes or no|true or false|which (?:topic|class|category)|"
    r"positive or negative|what is the topic|risk level|what is the risk|topic)\b|^[^\S\n]*(?:risk|and this one)\s*\?",
    re.IGNORECASE | re.MULTILINE,
)
POLAR: Final = re.compile(
    r"(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should|may|must|isn't|aren't|doesn't|didn't)\b"
    r"(?!\s+(?:you|u|we|i)\b)",
    re.IGNORECASE,
)
CHOOSING: Final = re.compile(r"\b(?:is|are|was|which)\b", re.IGNORECASE)
OR: Final = re.compile(r"\bor\b", re.IGNORECASE)
CLAUSE_END: Final = re.compile(r"[.!]")
OPEN: Final = re.compile(
    r"(?:(?:in|on|at|to|for|from|by|with|of|about)\s+)?"
    r"(?:who|whom|whose|what|where|when|which|how|why|find|pick|copy|quote|extract|name|list)\b",
    re.IGNORECASE,
)
PREFACE: Final = re.compile(
    r"^(?:(?:question|q|please tell me|tell me|please)\s*:?\s*|"
    r"(?:according to|based on|from|given|in) the (?:text|passage|context|article)\s*[,:]\s*)+",
    re.IGNORECASE,
)
TO_THE_MODEL: Final = re.compile(r"\b(?:you|your|yourself|I|me|my|DGrid)\b", re.IGNORECASE)
SENTENCE: Final = re.compile(r"(?:[^.!?\n]|[.!?](?=\S))+[.!?]*")  # a sign inside a word ends nothing: 3.5, tim@jol.org
WORD: Final = re.compile(r"\w+")


def task_of(chat: ChatRequest) -> TaskType:
    """The kind of work that the last message of the user asks for."""
    asked = clipped(last_said(chat.messages))
    question = question_in(asked)
    if wants_json(chat) or JSON_WORD.search(asked):
        return TaskType.JSON
    if len(set(OPTION.findall(asked))) > 1:
        return TaskType.CHOICE
    if SUMMARY.search(asked):
        return TaskType.SUMMARY
    if CLASSIFY.search(asked) or POLAR.match(question) or offers(question):
        return TaskType.CHOICE
    if OPEN.match(question) and has_text(chat.messages, asked, question=question):
        return TaskType.EXTRACT
    return TaskType.CHAT


def offers(question: str) -> bool:
    """Whether it asks for one of some: is …, or …? Taken apart, as one pattern for it takes cubic time to fail."""
    for asked in question.split("?")[:-1]:
        clause = CLAUSE_END.split(asked)[-1]
        begins = CHOOSING.search(clause)
        if begins is not None and OR.search(clause, begins.end()):
            return True
    return False


def wants_json(chat: ChatRequest) -> bool:
    """Whether the request itself demands an object."""
    return (chat.response_format or {}).get("type") in ("json_object", "json_schema")


def question_of(chat: ChatRequest) -> str:
    """The sentence of the last message of the user that asks; empty where none does."""
    return question_in(clipped(last_said(chat.messages)))


def question_in(asked: str) -> str:
    """The last sentence that ends in a question mark or begins like a question, without its preface."""
    found = [sentence for sentence in sentences(asked) if sentence.endswith("?") or is_asking(sentence)]
    return found[-1] if found else ""


def is_asking(sentence: str) -> bool:
    return bool(OPEN.match(sentence) or POLAR.match(sentence))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, each without what merely introduces a question."""
    for found in SENTENCE.finditer(text):
        sentence = PREFACE.sub("", found[0].strip()).strip()
        if sentence:
            yield sentence


def has_text(messages: Sequence[ChatMessage], asked: str, *, question: str) -> bool:
    """Whether there is a text to find the answer in: beside the question, or earlier in the conversation."""
    if count_words(asked) - count_words(question) >= TEXT_WORDS_MIN:
        return True
    if TO_THE_MODEL.search(question):
        return False
    left = EARLIER_LOOKED_AT
    for message in messages[:-1]:
        if message.role in ("user", "system", "developer"):
            text = clipped(message.text())[:left]
            left -= len(text)
            if len(list(islice(sentences(text), 2))) > 1:
                return True
    return False


def count_words(text: str) -> int:
    return len(WORD.findall(text))


def last_said(messages: Sequence[ChatMessage]) -> str:
    """The last message of the user."""
    return next((message.text() for message in reversed(messages) if message.role == "user"), "")


def clipped(text: str) -> str:
    """The front and the end of a long text: what is asked stands in one of them."""
    return text if len(text) <= 2 * TEXT_LOOKED_AT else text[:TEXT_LOOKED_AT] + "\n" + text[-TEXT_LOOKED_AT:]
