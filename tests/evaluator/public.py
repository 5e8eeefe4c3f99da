"""Peers whose answers can be shown to anybody: real keys, real receipts, requests forwarded as a gateway does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from tests.wire.making import GATEWAY, Story, make_document

from dgrid.client.answers import Answer
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.evaluator.rerun import Peer, PeerAnswer, Repeat
from dgrid.gateway.admit import forwarded
from dgrid.processes.evaluator_asking import checked_answer
from dgrid.wire.messages import Privacy
from dgrid.wire.openai import decode_chat
from dgrid.wire.signatures import SigningKey

WEIGHTS = keccak(b"weights")


@dataclass
class Peers:
    """What nodes of each model answer: each time with other blanks behind it, so that it can be found again."""

    saying: Mapping[str, str]
    keys: dict[bytes, SigningKey] = field(default_factory=dict)
    asked: list[Repeat] = field(default_factory=list)
    said: dict[bytes, str] = field(default_factory=dict)  # by request id

    def __post_init__(self) -> None:
        found = [SigningKey(keccak(b"peer" + model.encode())) for model in self.saying]
        self.keys = {key.address: key for key in found}

    async def all(self) -> Sequence[Peer]:
        return [
            Peer(Address(node), model, WEIGHTS if model == "dgrid-mini" else keccak(model.encode()))
            for node, model in zip(self.keys, self.saying, strict=True)
        ]

    async def ask(self, repeat: Repeat) -> PeerAnswer:
        self.asked.append(repeat)
        found = checked_answer(self.answer(repeat), repeat, gateway=Address(GATEWAY.address))
        self.said[found.request_id] = found.text
        return found

    def answer(self, repeat: Repeat, **changes: object) -> Answer:
        """A peer's answer as its payer gets it."""
        peer, count = repeat.peer, len(self.asked)
        text = f"{self.saying[peer.model]}\n{blanks(count)}\n"
        story = Story(
            answer=text,
            model=peer.model,
            request_id=keccak(b"repeat" + count.to_bytes(4, "big")),
            sent=forwarded(decode_chat(repeat.body), repeat.body),
            salt=keccak(b"its salt" + count.to_bytes(4, "big")),
            node=self.keys[peer.node],
            digest=peer.digest,
            seed=decode_chat(repeat.body).wanted_seed or 0,
            privacy=int(Privacy.NONE),
            **changes,  # type: ignore[arg-type]
        )
        document = make_document(story)
        body = msgspec.json.encode({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})
        name, node = to_hex(story.request_id), to_hex(peer.node)
        return Answer(text, peer.model, name, 1, node, 11, 7, 1, "http://127.0.0.1:1", body, document)


def blanks(number: int) -> str:
    """A number that no judge minds: sixteen blanks and tabs."""
    return f"{number:016b}".replace("0", " ").replace("1", "\t")
