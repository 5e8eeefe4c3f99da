"""What a conversation is made of."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    user: str
    reply: str
    task: str
    schema: dict[str, Any] | None = None


@dataclass(slots=True)
class Conversation:
    turns: list[Turn]
    system: str | None = None

    def messages(self) -> list[dict[str, str]]:
        """The messages before the last reply."""
        result = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            result += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.reply}]
        return result[:-1]
