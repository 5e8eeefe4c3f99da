"""The chat format, once for training and once as the template that llama.cpp reads."""

from tokenizers import Tokenizer

from turns import Conversation

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant\n ' + message['content'] | trim + '<|im_end|>\n' }}"
    "{% elif message['role'] == 'system' %}{{ '<|im_start|>system\n' + message['content'] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>user\n' + message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def encode(tokenizer: Tokenizer, made: Conversation) -> tuple[list[int], list[bool]]:
    """Token ids, and for each whether the model is to write it.

    A reply begins with a space, so that its words have the tokens they have in a text.
    """
    parts = [(f"<|im_start|>system\n{made.system}<|im_end|>\n", False)] if made.system else []
    for turn in made.turns:
        parts += [
            (f"<|im_start|>user\n{turn.user}<|im_end|>\n<|im_start|>assistant\n", False),
            (f" {turn.reply}<|im_end|>", True),
            ("\n", False),
        ]
    ids: list[int] = []
    written: list[bool] = []
    for encoding, (_, reply) in zip(tokenizer.encode_batch([text for text, _ in parts]), parts, strict=True):
        ids += encoding.ids
        written += [reply] * len(encoding.ids)
    return ids, written
