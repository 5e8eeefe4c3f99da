import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dgrid.engines.requests import PASSED_THROUGH, SEED_MAX, conversation, engine_request
from dgrid.wire.openai import ChatMessage, decode_chat


def build(fields: dict[str, object]) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields})


def test_passes_on_only_what_openai_names() -> None:
    body = build(
        {"temperature": 0.5, "stop": ["x"], "cache_prompt": True, "grammar": "root ::= x", "lora": [], "top_p": None}
    )
    request = engine_request(body, decode_chat(body), seed=1, tokens_max=9)
    assert {name: bytes(value) for name, value in request.settings.items()} == {"temperature": b"0.5", "stop": b'["x"]'}


@given(asked=st.one_of(st.none(), st.integers(1, 10_000)), bound=st.integers(1, 1000))
def test_an_answer_never_has_more_tokens_than_the_node_allows(asked: int | None, bound: int) -> None:
    body = build({"max_tokens": asked})
    request = engine_request(body, decode_chat(body), seed=1, tokens_max=bound)
    assert request.tokens_max == (bound if asked is None else min(asked, bound))


@given(seed=st.integers(0, 2**64 - 1))
def test_every_seed_fits_the_engine(seed: int) -> None:
    body = build({})
    assert 0 <= engine_request(body, decode_chat(body), seed=seed, tokens_max=1).seed <= SEED_MAX


def test_the_alternatives_are_asked_for_only_with_logprobs() -> None:
    for logprobs, expected in ((True, 3), (False, 0), (None, 0)):
        body = build({"logprobs": logprobs, "top_logprobs": 3})
        assert engine_request(body, decode_chat(body), seed=1, tokens_max=1).top_logprobs == expected


def test_what_passes_through_is_openais() -> None:
    assert not {"model", "messages", "stream", "n", "seed", "logprobs", "max_tokens"} & set(PASSED_THROUGH)


def test_a_conversation_of_text_is_read_and_one_with_images_is_not() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert conversation([ChatMessage("user", parts), ChatMessage("assistant")]) == [("user", "a\nb"), ("assistant", "")]
    assert conversation([ChatMessage("user", [*parts, image])]) is None
