import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.engines.gguf import read_metadata
from dgrid.engines.llama import LlamaEngine
from dgrid.engines.templates import CHATML_SPACED, TURN, template_of
from dgrid.engines.tokenizers import (
    TURNS_REMEMBERED,
    WORD_CHARACTERS_MAX,
    WORDS_LEARNED_MAX,
    WORDS_REMEMBERED,
    Tokenizer,
    Turns,
    Words,
    load_tokenizer,
    tokenizer_of,
)
from dgrid.wire.http import HttpClient

MODELS = Path(__file__).resolve().parents[2] / "models"
MICRO = MODELS / "dgrid-micro-q8_0.gguf"
AWKWARD = [
    "  ",
    "\n ",
    " 1",
    "12",
    "n't",
    "'LL",
    " é",
    "中",
    "½",
    "٣",
    "\u00a0",
    "\u2003",
    "\u0301",
    "😀",
    "<|im_end|>",
    "\x1c",
    "\x85",
    "ok",
]

texts = st.one_of(st.text(), st.lists(st.sampled_from(AWKWARD)).map("".join), st.text(alphabet="ab 1\n'st."))
roles = st.sampled_from(["user", "assistant", "system", "tool", "developer"])
chats = st.lists(st.tuples(roles, texts), min_size=1, max_size=4).filter(
    lambda chat: [role for role, _ in chat[-2:]] != ["assistant"] * 2
)


class LlamaServer:
    """llama.cpp's own counting, asked over HTTP."""

    def __init__(self, loop: asyncio.Runner, engine: LlamaEngine) -> None:
        assert engine._adapter is not None
        self._loop, self._address, self._client = loop, engine._adapter._address, HttpClient()

    def ask(self, path: str, **fields: Any) -> Any:
        async def ask() -> Any:
            url = self._address.url.removesuffix("/v1") + path
            headers = {"authorization": f"Bearer {self._address.api_key}", "content-type": "application/json"}
            reply = await self._client.request("POST", url, body=msgspec.json.encode(fields), headers=headers)
            return msgspec.json.decode(await reply.read())

        return self._loop.run(ask())

    def count(self, text: str) -> int:
        return len(self.ask("/tokenize", content=text, parse_special=True)["tokens"])

    def prompt(self, chat: Sequence[tuple[str, str]]) -> str:
        prompt: str = self.ask("/apply-template", messages=[{"role": role, "content": text} for role, text in chat])[
            "prompt"
        ]
        return prompt


@pytest.fixture(scope="module")
def server(loop: asyncio.Runner, llama: LlamaEngine) -> LlamaServer:
    return LlamaServer(loop, llama)


@settings(deadline=None, max_examples=300)
@given(text=texts)
def test_counts_a_text_as_llama_cpp_does(server: LlamaServer, tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.count_text(text) == server.count(text)


@settings(deadline=None, max_examples=200)
@given(chat=chats)
def test_counts_a_prompt_as_llama_cpp_does(
    server: LlamaServer, tokenizer: Tokenizer, chat: list[tuple[str, str]]
) -> None:
    assert tokenizer.template is not None
    assert tokenizer.template(chat) == server.prompt(chat)
    assert tokenizer.count_prompt(chat) == server.count(server.prompt(chat))


def test_counts_held_out_conversations_as_llama_cpp_does(server: LlamaServer, tokenizer: Tokenizer) -> None:
    for line in (MODELS / "heldout.jsonl").read_bytes().splitlines()[::25]:
        text = str(msgspec.json.decode(line))
        assert tokenizer.count_text(text) == server.count(text)


@settings(max_examples=300)
@given(text=st.lists(st.sampled_from([*AWKWARD, " ", " a", "b", "\n"])).map("".join))
def test_a_text_counts_what_its_words_count(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.count_text(text) == len(tokenizer.encoding.encode(text, allowed_special="all"))


def test_what_is_remembered_of_words_is_bounded(tokenizer: Tokenizer) -> None:
    words = Words(tokenizer.encoding)
    for number in range(WORDS_REMEMBERED + 10):
        words.count(f"so w{number} {'x' * (WORD_CHARACTERS_MAX + 1)} end")
    assert 0 < len(words._counts) <= WORDS_REMEMBERED
    assert max(map(len, words._counts)) <= WORD_CHARACTERS_MAX
    many = " ".join(f"n{number}" for number in range(WORDS_LEARNED_MAX + 3))
    for known in (WORDS_LEARNED_MAX, WORDS_LEARNED_MAX + 1):  # the first and the last are no words between spaces
        assert words.count(many) == words.whole(many)
        assert sum(f"n{number}" in words._counts for number in range(WORDS_LEARNED_MAX + 3)) == known


@pytest.mark.parametrize("blank", [" ", "\n", "\u2003"])
def test_a_run_of_white_space_too_long_for_the_pattern_is_counted_in_parts(tokenizer: Tokenizer, blank: str) -> None:
    each = tokenizer.count_text(blank * 1000) / 1000
    counted = tokenizer.count_text("a" + blank * 1_000_000 + "b")
    assert 1_000_000 * each * 0.99 <= counted <= 1_000_000 * each * 1.01 + 2


def test_unknown_words_are_learned_wherever_they_stand_and_however_often(tokenizer: Tokenizer) -> None:
    words = Words(tokenizer.encoding)
    for text in ("a usual word and another", "odd a usual odd word odd", "a word a stranger", f"a {'x' * 99} b c d"):
        for _ in ("unknown", "known"):
            assert words.count(text) == words.whole(text)


@settings(max_examples=200)
@given(chat=chats, more=chats)
def test_a_chat_counts_what_it_counts_as_one_text_however_much_of_it_is_known(
    tokenizer: Tokenizer, chat: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    assert tokenizer.template is not None
    for said in (chat, chat + more, chat):
        assert tokenizer.count_prompt(said) == tokenizer.words.whole(tokenizer.template(said))


def test_an_earlier_turn_is_counted_once_and_what_is_remembered_of_turns_is_bounded() -> None:
    counted: list[str] = []
    turns = Turns(lambda turn: counted.append(turn) or len(turn))  # type: ignore[func-returns-value]
    said, asked = "user\nWho?", f"user\nWhere?{TURN}assistant\n"
    for _ in ("unknown", "known"):
        assert turns.count(TURN + said + TURN + asked) == len(said) + len(asked) + 2
    assert counted == ["", said, asked, asked]
    for number in range(TURNS_REMEMBERED + 10):
        turns.count(f"turn {number}{TURN}{asked}")
    assert len(turns._counts) <= TURNS_REMEMBERED


@given(text=texts)
def test_a_reply_counts_with_the_space_that_was_taken_from_it(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.count_reply(text) == (tokenizer.count_text(" " + text) if text else 0)


@pytest.mark.parametrize("name", ["dgrid-nano-q8_0.gguf", "dgrid-micro-q8_0.gguf", "dgrid-mini-q8_0.gguf"])
def test_knows_the_tokenizer_and_template_of_every_built_in_model(name: str) -> None:
    tokenizer = load_tokenizer(MODELS / name)
    assert tokenizer is not None
    assert tokenizer.template is template_of(CHATML_SPACED)


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.model": "llama"},
        {"tokenizer.ggml.pre": "deepseek-llm"},
        {"tokenizer.ggml.add_bos_token": True},
        {"tokenizer.ggml.token_type": []},
        {"tokenizer.ggml.merges": ["Ġ w", "h e"]},
        {"tokenizer.ggml.merges": ["q q"]},
    ],
)
def test_an_unknown_tokenizer_is_not_guessed(change: dict[str, Any]) -> None:
    assert tokenizer_of({**read_metadata(MICRO), **change}) is None


def test_a_vocabulary_without_some_byte_is_refused() -> None:
    metadata = read_metadata(MICRO)
    pieces = metadata["tokenizer.ggml.tokens"]
    assert isinstance(pieces, list)
    assert tokenizer_of({**metadata, "tokenizer.ggml.tokens": ["Ġthe", *pieces[1:3], "Ġthe", *pieces[4:]]}) is None


def test_an_unknown_template_counts_texts_but_no_prompts() -> None:
    tokenizer = tokenizer_of({**read_metadata(MICRO), "tokenizer.chat_template": "{{ messages }}"})
    assert tokenizer is not None
    assert tokenizer.count_text("Maria") > 0
    assert tokenizer.count_prompt([("user", "Maria")]) is None


def test_a_missing_or_foreign_file_has_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model")
    assert load_tokenizer(tmp_path / "text.gguf") is None
    assert load_tokenizer(tmp_path / "none.gguf") is None


def test_counting_a_prompt_of_a_hundred_tokens_takes_microseconds(tokenizer: Tokenizer) -> None:
    chat = [
        (
            "user",
            "Maria lives in Oslo and works as a nurse. Tim is a friend of Maria. Tim plays the cello. " * 4 + "Who?",
        )
    ]
    began = time.perf_counter()
    for _ in range(200):
        tokenizer.count_prompt(chat)
    assert (time.perf_counter() - began) / 200 < 500e-6  # about 20 µs on a free core; room for busy ones
