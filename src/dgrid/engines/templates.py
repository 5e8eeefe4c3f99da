"""Chat templates as plain functions, found by the text of the template in the model's file.

A template is a program that came with a file; this module runs none. It renders the few it knows and refuses the
rest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

ChatTemplate = Callable[[Sequence[tuple[str, str]]], str]
"""(role, content) pairs in, the text that the model reads out."""

CHATML_SPACED: Final = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant\n ' + message['content'] | trim + '<|im_end|>\n' }}"
    "{% elif message['role'] == 'system' %}{{ '<|im_start|>system\n' + message['content'] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>user\n' + message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The built-in models' template: ChatML in which an earlier reply gets back the space that was stripped from it."""

TURN: Final = "<|im_start|>"  # a control token, and so a cut: whatever stands before it, a turn counts the same
REPLY_OPENED: Final = f"{TURN}assistant\n"
TRIMMED: Final = " \t\n\v\f\r"  # llama.cpp's `trim` knows C's white space only
SYSTEM_ROLES: Final = ("system", "developer")  # llama.cpp renames OpenAI's newer word before the template sees it


def render_chatml_spaced(messages: Sequence[tuple[str, str]]) -> str:
    """What llama.cpp makes of CHATML_SPACED. A last message of the assistant is a reply to go on with, as it stands."""
    if not messages or messages[-1][0] != "assistant":
        return "".join(map(render_turn, messages)) + REPLY_OPENED
    begun = messages[-1][1]
    return "".join(map(render_turn, messages[:-1])) + (REPLY_OPENED + begun if begun else "")


def render_turn(message: tuple[str, str]) -> str:
    role, content = message
    if role == "assistant":
        return f"<|im_start|>assistant\n {content.strip(TRIMMED)}<|im_end|>\n"
    return f"<|im_start|>{'system' if role in SYSTEM_ROLES else 'user'}\n{content}<|im_end|>\n"


TEMPLATES: Final[Mapping[str, ChatTemplate]] = {CHATML_SPACED: render_chatml_spaced}


def template_of(text: object) -> ChatTemplate | None:
    """The function for a template's text, or None when it is not one of those known here."""
    return TEMPLATES.get(text) if isinstance(text, str) else None
