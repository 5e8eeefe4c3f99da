"""Counts and cuts tokens without an engine: what a gateway checks a node's bill against, a node its engine's, and what
an evaluator reads again with the claimed model.

The vocabulary comes from the model's own GGUF file, the splitting from tiktoken; a test holds both equal to
llama.cpp. It knows the byte-level families listed here and refuses to guess for any other: `load_tokenizer` gives
None, and whoever asked must use another bound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Final, cast

import tiktoken

from dgrid.core.keccak import keccak
from dgrid.engines.gguf import NotAModelFileError, Value, read_metadata
from dgrid.engines.templates import TURN, ChatTemplate, render_chatml_spaced, template_of

CONTRACTIONS: Final = r"'(?:[sdmt]|ll|ve|re)"
PATTERNS: Final[Mapping[str, str]] = {
    # llama.cpp cuts out the digits first, then applies GPT-2's pattern to what lies between them. White space in front
    # of a digit is therefore a piece of its own, and not split before its last character as in front of a letter.
    "smollm": rf"\p{{N}}|{CONTRACTIONS}| ?\p{{L}}++| ?[^\s\p{{L}}\p{{N}}]++|\s+(?![^\s\p{{N}}])|\s",
    "gpt-2": rf"{CONTRACTIONS}| ?\p{{L}}++| ?\p{{N}}++| ?[^\s\p{{L}}\p{{N}}]++|\s+(?!\S)|\s",
}
CONTROL_TOKEN, USER_DEFINED_TOKEN = 3, 4  # llama.cpp's types of tokens that are matched whole, before any splitting
BYTE_COUNT: Final = 256
NAME_DIGITS: Final = 16
WORDS_REMEMBERED: Final = 32_768
ENDS_REMEMBERED: Final = 1024
WORD_CHARACTERS_MAX: Final = 48
ORDINARY_CHARACTERS_MAX: Final = 65_536  # far below what panics there, where `encode` raises a plain error
TURNS_REMEMBERED: Final = 16_384
FILLER: Final = " "  # never a word; `itemgetter` gives a tuple only of two and more
WORDS_LEARNED_MAX: Final = 16  # of one text: with more unknown words, counting it whole is cheaper


class Words:
    """What words count together with the space in front of them; the usual ones are remembered.

    No pattern above has a piece with a space anywhere but at its front, unless white space stands beside white space:
    so a text counts what its words count. Bounded in memory, and in work for a text that holds little that is known.
    """

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding
        self._counts = {FILLER: 0}
        self._special = {piece[0] for piece in encoding.special_tokens_set}
        self._end = lru_cache(ENDS_REMEMBERED)(self.whole)

    def whole(self, text: str) -> int:
        """The number of tokens of a text, by the pattern itself.

        Where a run of white space is too long for the pattern's stack, by its halves: a cut may count a token more.
        """
        if not text:
            return 0
        if len(text) <= ORDINARY_CHARACTERS_MAX and self._special.isdisjoint(text):  # no special token is written out
            return len(self._encoding.encode_ordinary(text))
        try:
            return len(self._encoding.encode(text, allowed_special="all"))
        except ValueError:
            half = len(text) // 2
            return self.whole(text[:half]) + self.whole(text[half:])

    def count(self, text: str) -> int:
        """The number of tokens of a text, by its words where it has usual ones."""
        opening, *words = text.split(" ")
        if not words or opening[-1:].isspace():
            return self.whole(text)
        last, counted = " " + words.pop(), 0  # behind the last nothing follows, so it may end in white space
        for _ in range(WORDS_LEARNED_MAX):
            try:
                return self._count_end(opening) + counted + self._known(words) + self._count_end(last)
            except KeyError as missing:
                word: str = missing.args[0]
            if not word or word[-1].isspace():
                break
            at = words.index(word)
            counted += self._known(words[:at]) + self._learn(word)
            del words[: at + 1]
        return self.whole(text)

    def _known(self, words: Sequence[str]) -> int:
        """What known words count, looked up in one loop in C. Raises KeyError, with the first that is not known."""
        counts: tuple[int, ...] = itemgetter(FILLER, FILLER, *words)(self._counts)
        return sum(counts)

    def _learn(self, word: str) -> int:
        count = self.whole(" " + word)
        if len(word) <= WORD_CHARACTERS_MAX:
            if len(self._counts) >= WORDS_REMEMBERED:
                self._counts = {FILLER: 0}
            self._counts[word] = count
        return count

    def _count_end(self, text: str) -> int:
        return self._end(text) if len(text) <= WORD_CHARACTERS_MAX else self.whole(text)


class Turns:
    """What the earlier turns of chats count. A chat comes again with each of its answers: what was said is known then.

    Remembers numbers alone: the hash of a turn, keyed anew in each process, stands for what was said.
    """

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._counts: dict[int, int] = {}

    def count(self, chat: str) -> int:
        """The number of tokens of a rendered chat."""
        turns = chat.split(TURN)
        said, asked = turns[:-2], TURN.join(turns[-2:])  # what is asked, and the answer's opening, are seldom known
        return sum(map(self._count_said, said)) + len(said) + self._count(asked)

    def _count_said(self, turn: str) -> int:
        key = hash(turn)
        if (count := self._counts.get(key)) is None:
            if len(self._counts) >= TURNS_REMEMBERED:
                self._counts.clear()
            count = self._counts[key] = self._count(turn)
        return count


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Counts, cuts and spells exactly as llama.cpp would.

    Special tokens written out in a text count as what they are, as they do in the engine.
    """

    name: str  # the same for all models that split and wrap texts alike
    encoding: tiktoken.Encoding
    words: Words
    template: ChatTemplate | None
    count_chat: Callable[[str], int]  # of a rendered one
    reply_opening: str = ""

    def count_text(self, text: str) -> int:
        """The number of tokens of a text that no template wraps."""
        return self.words.count(text)

    def count_reply(self, text: str) -> int:
        """The number of tokens of an answer as the model wrote it, with the space that was taken from its front."""
        return self.count_text(self.reply_opening + text) if text else 0

    def count_prompt(self, messages: Sequence[tuple[str, str]]) -> int | None:
        """The number of tokens of a chat of (role, content) pairs; None where the model's template is not known."""
        return None if self.template is None else self.count_chat(self.template(messages))

    def prompt_tokens(self, messages: Sequence[tuple[str, str]]) -> list[int] | None:
        """The tokens of a chat of (role, content) pairs; None where the model's template is not known, or where white
        space runs on for longer than the pattern can cut.
        """
        if self.template is None:
            return None
        try:
            return self.encoding.encode(self.template(messages), allowed_special="all")
        except ValueError:
            return None

    def text_of(self, tokens: Sequence[int]) -> str | None:
        """What tokens spell, without control tokens; None where one is of no such vocabulary."""
        try:
            plain = [token for token in tokens if not self.encoding.is_special_token(token)]
            return self.encoding.decode_bytes(plain).decode("utf-8", "replace")
        except (KeyError, OverflowError):
            return None


def load_tokenizer(model: Path) -> Tokenizer | None:
    """The tokenizer in a GGUF file, or None when it is of a family not known here or the file is no model."""
    try:
        return tokenizer_of(read_metadata(model))
    except (NotAModelFileError, OSError):
        return None


def tokenizer_of(metadata: Mapping[str, Value]) -> Tokenizer | None:
    """The tokenizer that a model's metadata describe, or None when it is of a family not known here."""
    pattern = PATTERNS.get(str(metadata.get("tokenizer.ggml.pre")))
    if (
        metadata.get("tokenizer.ggml.model") != "gpt2"
        or metadata.get("tokenizer.ggml.add_bos_token")
        or pattern is None
    ):
        return None
    pieces = cast(list[str], metadata.get("tokenizer.ggml.tokens", []))
    kinds = cast(list[int], metadata.get("tokenizer.ggml.token_type", []))
    if len(pieces) != len(kinds):
        return None
    special = {
        piece: at
        for at, (piece, kind) in enumerate(zip(pieces, kinds, strict=True))
        if kind in (CONTROL_TOKEN, USER_DEFINED_TOKEN)
    }
    ranks = ranks_of(pieces, special)
    if any(" " in piece for piece in special):  # then a text's words would not be its pieces' ends
        return None
    if ranks is None or not in_order(cast(list[str], metadata.get("tokenizer.ggml.merges", [])), ranks):
        return None
    encoding = tiktoken.Encoding(
        str(metadata.get("general.name")), pat_str=pattern, mergeable_ranks=ranks, special_tokens=special
    )
    template = template_of(metadata.get("tokenizer.chat_template"))
    opening, words = " " if template is render_chatml_spaced else "", Words(encoding)
    count_chat = Turns(words.count).count if TURN in special else words.count
    return Tokenizer(name_of(metadata), encoding, words, template, count_chat, opening)


def name_of(metadata: Mapping[str, Value]) -> str:
    """A name made of everything that decides a count."""
    keys = ("tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.chat_template")
    described = repr([metadata.get(key) for key in keys]).encode("utf-8", "backslashreplace")
    return f"{metadata['tokenizer.ggml.pre']}-{keccak(described).hex()[:NAME_DIGITS]}"


def ranks_of(pieces: Sequence[str], special: Mapping[str, int]) -> dict[bytes, int] | None:
    """Each piece's bytes and its place; None unless all single bytes are there: else some texts have no tokens."""
    alphabet = byte_alphabet()
    try:
        ranks = {bytes(alphabet[sign] for sign in piece): at for at, piece in enumerate(pieces) if piece not in special}
    except KeyError:
        return None
    return ranks if all(bytes((value,)) in ranks for value in range(BYTE_COUNT)) else None


def in_order(merges: Sequence[str], ranks: Mapping[bytes, int]) -> bool:
    """Whether the vocabulary lists the merged pieces in the order of the merges: tiktoken merges by place in the
    vocabulary.
    """
    alphabet = byte_alphabet()
    merged = [ranks.get(bytes(alphabet[sign] for sign in merge.replace(" ", "")), -1) for merge in merges]
    return -1 not in merged and merged == sorted(merged)


def byte_alphabet() -> dict[str, int]:
    """GPT-2's stand-ins for the 256 bytes: those that print stand for themselves, the others for 256 and up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [value for value in range(BYTE_COUNT) if value not in printable]
    return {chr(value): value for value in printable} | {chr(BYTE_COUNT + at): value for at, value in enumerate(hidden)}
