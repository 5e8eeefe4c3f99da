"""Trains the byte-level BPE tokenizer: ``python train_tokenizer.py --out work/tokenizer.json``.

The first letter of a capitalised word is a token of its own, with or without a space before it. So a name has the
same tokens after its first one wherever it stands, in a sentence or behind the quotation mark of a JSON string, and
copying it is easy. Digits are single tokens.
"""

import argparse
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from draw import Draw
from generator import conversation, texts

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WHOLE = [
    "The",
    "What",
    "Where",
    "When",
    "Who",
    "Which",
    "How",
    "Is",
    "Does",
    "Did",
    "Will",
    "Was",
    "He",
    "She",
    "It",
    "Text",
    "Question",
    "Context",
    "Answer",
    "Return",
    "Give",
    "Extract",
    "Fill",
    "Write",
    "Use",
    "Reply",
    "According",
    "Based",
    "Summarise",
    "Summarize",
    "Rule",
    "Amounts",
    "Transaction",
    "Wallet",
    "Yes",
    "No",
    "On",
    "In",
    "An",
    "Options",
    "Read",
    "Here",
    "Please",
    "Choose",
    "Find",
    "Pick",
    "Copy",
    "Write",
    "JSON",
    "Classify",
    "Repeat",
    "List",
    "Tell",
    "Can",
    "Are",
    "Do",
    "Why",
    "Transfer",
    "Short",
    "You",
    "Answer",
    "Most",
    "If",
]


def split_for_use() -> pre_tokenizers.PreTokenizer:
    """The splitting that llama.cpp calls "smollm"."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def split_for_training() -> pre_tokenizers.PreTokenizer:
    """As for use, and in addition behind the capital that a word begins with, so that no merge crosses that place."""
    capital = Regex(rf"^(?!Ġ?(?:{'|'.join(WHOLE)})$)Ġ?[A-Z]")
    return pre_tokenizers.Sequence([split_for_use(), pre_tokenizers.Split(capital, "isolated")])


def train(size: int, conversations: int) -> Tokenizer:
    draw = Draw(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split_for_training()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    roles = ["user\n", "assistant\n", "system\n"] * (conversations // 10)
    tokenizer.train_from_iterator(texts(conversation(draw, 0.8) for _ in range(conversations)) + roles, trainer)
    tokenizer.pre_tokenizer = split_for_use()
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--conversations", type=int, default=12_000)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    train(arguments.vocabulary, arguments.conversations).save(str(arguments.out))


if __name__ == "__main__":
    main()
