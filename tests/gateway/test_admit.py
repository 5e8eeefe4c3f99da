"""Who may ask, and on whose word: the door alone, with no node and no ledger behind it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.gateway.door import BODY, FIELDS, NOW_MS, admission, asked, custodial, with_key
from tests.gateway.stage import API_KEY, CHANNELS, DOMAIN, GATEWAY_KEY, PAYER_KEY, StagedChain

from dgrid.core.errors import (
    DGridError,
    InsufficientBudget,
    InvalidApiKey,
    InvalidRequest,
    InvalidSignature,
    SignatureExpired,
)
from dgrid.core.identity import api_key_tag, model_id
from dgrid.core.keccak import salted_hash
from dgrid.core.money import WEI
from dgrid.gateway.admit import DEADLINE_AHEAD_MS_MAX
from dgrid.gateway.facts import Channel
from dgrid.gateway.orders import Order
from dgrid.store.ledger_rows import OrderDigest
from dgrid.wire.exchange import Request
from dgrid.wire.messages import Grade, InferenceRequest, Privacy, Voucher
from dgrid.wire.signatures import SigningKey

SALT = b"\x33" * 32
AUTHORIZER_KEY = SigningKey(b"\x05" * 32)


def paid(
    channel: Channel,
    *,
    key: SigningKey = AUTHORIZER_KEY,
    voucher_key: SigningKey = AUTHORIZER_KEY,
    body: bytes = BODY,
    **bent: Any,
) -> Request:
    """A request that its payer signed, with some fields other than they should be."""
    order = InferenceRequest(
        request_hash=salted_hash(SALT, BODY),
        payer=PAYER_KEY.address,
        model_id=model_id("tiny"),
        grade=Grade.SIGNED,
        privacy=Privacy.NONE,
        max_fee=WEI,
        policy_hash=bytes(32),
        nonce=1,
        deadline=NOW_MS + 60_000,
        gateway=GATEWAY_KEY.address,
    )
    order = msgspec.structs.replace(order, **bent)
    voucher = voucher_key.sign(CHANNELS.digest(Voucher(channel.channel_id, 5 * WEI).struct_hash()))
    payment = {
        "chainId": DOMAIN.chain_id,
        "channelId": "0x" + channel.channel_id.hex(),
        "voucher": {"maxClaimableAmount": str(5 * WEI), "signature": "0x" + voucher.hex()},
        "request": order.to_json(),
        "signature": "0x" + key.sign(DOMAIN.digest(order.struct_hash())).hex(),
        "salt": "0x" + SALT.hex(),
    }
    return asked({b"x-dgrid-payment": base64.urlsafe_b64encode(msgspec.json.encode(payment))}, body)


def signing_channel(chain: StagedChain) -> Channel:
    """One whose vouchers another key of its payer signs."""
    return chain.open_channel(b"vouchers0000", authorizer=AUTHORIZER_KEY.address)


def admitted(
    request: Callable[[Channel], Request], *, at: Callable[[Channel], Channel] = lambda channel: channel
) -> Order:
    """What comes of a signed request on a channel as the chain has it."""
    chain = StagedChain()
    channel = signing_channel(chain)
    chain.put_channel(at(channel))
    return admission(chain).admit(request(channel))


@pytest.mark.parametrize("key", [PAYER_KEY, AUTHORIZER_KEY])
def test_a_payer_or_its_authorizer_signs_and_is_held_to_what_it_signed(key: SigningKey) -> None:
    order = admitted(lambda channel: paid(channel, key=key))
    assert (order.max_fee_wei, order.privacy, order.salt) == (WEI, Privacy.NONE, SALT)
    assert order.request_hash == salted_hash(SALT, BODY)
    assert order.funds.ceiling_wei == 5 * WEI
    assert order.signed == OrderDigest(order.request_id, NOW_MS + 60_000)


DAY_MS = DEADLINE_AHEAD_MS_MAX


@pytest.mark.parametrize(
    ("bent", "error"),
    [
        ({"payer": b"\x09" * 20}, InvalidSignature),
        ({"gateway": b"\x09" * 20}, InvalidSignature),
        ({"model_id": model_id("huge")}, InvalidSignature),
        ({"key": GATEWAY_KEY}, InvalidSignature),
        ({"body": BODY + b" "}, InvalidSignature),
        ({"grade": Grade.JUDGED}, InvalidRequest),
        ({"privacy": 9}, InvalidRequest),
        ({"deadline": NOW_MS}, SignatureExpired),
        ({"deadline": NOW_MS + DAY_MS + 1}, InvalidRequest),
    ],
)
def test_what_was_signed_for_another_purpose_or_moment_is_refused(
    bent: dict[str, Any], error: type[DGridError]
) -> None:
    with pytest.raises(error):
        admitted(lambda channel: paid(channel, **bent))


@pytest.mark.parametrize("deadline", [NOW_MS + 1, NOW_MS + DAY_MS])
def test_a_deadline_may_lie_up_to_a_day_ahead(deadline: int) -> None:
    assert admitted(lambda channel: paid(channel, deadline=deadline)).signed is not None


def test_a_channel_to_another_gateway_pays_for_nothing_here() -> None:
    def to_another(channel: Channel) -> Channel:
        """As a chain reader that knows all channels would show it."""
        config = msgspec.structs.replace(channel.config, salt=bytes(32))
        return replace(channel, config=config)

    with pytest.raises(InvalidSignature, match="to this gateway"):
        admitted(paid, at=to_another)


def test_only_who_a_channel_names_signs_its_vouchers_and_the_payer_where_it_names_nobody() -> None:
    chain = StagedChain()
    named, nobody = signing_channel(chain), chain.open_channel(b"vouchers0001", authorizer=bytes(20))
    door = admission(chain)
    for channel, right, wrong in ((named, AUTHORIZER_KEY, PAYER_KEY), (nobody, PAYER_KEY, AUTHORIZER_KEY)):
        assert door.admit(paid(channel, key=PAYER_KEY, voucher_key=right)).funds.channel_id == channel.channel_id
        with pytest.raises(InvalidSignature, match="voucher"):
            door.admit(paid(channel, key=PAYER_KEY, voucher_key=wrong))


@pytest.mark.parametrize("authorization", ["", API_KEY, f"Basic {API_KEY}", "Bearer sk-test", "Bearer dg-other"])
def test_a_key_opens_the_channel_that_was_made_for_it_and_nothing_else_does(authorization: str) -> None:
    chain = StagedChain()
    channel = custodial(chain)
    door = admission(chain)
    assert door.channel_of_key(f"bearer {API_KEY}") == channel
    with pytest.raises(InvalidApiKey):
        door.channel_of_key(authorization)


def test_a_channel_that_is_being_withdrawn_pays_for_nothing_more() -> None:
    with pytest.raises(InsufficientBudget):
        admitted(paid, at=lambda channel: replace(channel, is_leaving=True))


@pytest.mark.parametrize(("budget", "most"), [("7", 7), (str(2 * WEI), WEI)])
def test_of_what_was_signed_and_what_the_body_grants_the_less_is_the_most(budget: str, most: int) -> None:
    body = msgspec.json.encode({**FIELDS, "dgrid": {"budget": budget}})
    order = admitted(lambda channel: paid(channel, body=body, request_hash=salted_hash(SALT, body)))
    assert order.max_fee_wei == most


@pytest.mark.parametrize("budget", ["-1", str(2**128), "1.5", "much"])
def test_a_budget_is_a_whole_number_of_wei_that_the_ledger_can_hold(budget: str) -> None:
    chain = StagedChain()
    custodial(chain)
    with pytest.raises(InvalidRequest, match="budget"):
        admission(chain).admit(with_key(msgspec.json.encode({**FIELDS, "dgrid": {"budget": budget}})))


@pytest.mark.parametrize("way", [{"models": ["tiny"]}, {"provider": {"only": []}}, {"dgrid": {"privacy": "public"}}])
def test_a_node_gets_what_is_asked_and_not_who_may_serve_it(way: dict[str, Any]) -> None:
    chain = StagedChain()
    custodial(chain)
    plain = admission(chain).admit(with_key())
    assert plain.body == BODY
    assert plain.forwarded_hash == plain.request_hash == salted_hash(plain.salt, BODY)
    body = msgspec.json.encode({**way, **FIELDS})
    order = admission(chain).admit(with_key(body))
    assert order.body == BODY
    assert order.request_hash == salted_hash(order.salt, body)
    assert order.forwarded_hash == salted_hash(order.salt, BODY)


def test_requests_never_share_a_name_or_a_salt_even_after_a_restart() -> None:
    chain = StagedChain()
    custodial(chain)
    doors = admission(chain, fence=1), admission(chain, fence=2)
    orders = [door.admit(with_key()) for door in doors for _ in range(200)]
    assert len({order.request_id for order in orders}) == len({order.salt for order in orders}) == 400


def test_an_idempotency_key_is_its_channels_own_and_names_one_body() -> None:
    chain = StagedChain()
    custodial(chain)
    chain.open_channel(api_key_tag("dg-other"), authorizer=GATEWAY_KEY.address)
    door, other = admission(chain), msgspec.json.encode({**FIELDS, "max_tokens": 3})
    requests = [
        with_key(idempotency_key="again"),
        with_key(other, idempotency_key="again"),
        with_key(idempotency_key="again", authorization="Bearer dg-other"),
    ]
    assert len({door.admit(request).idempotency for request in requests}) == 3
    assert door.admit(requests[0]).idempotency == door.admit(requests[0]).idempotency
    for wrong in ("k" * 256, "two\nlines"):
        with pytest.raises(InvalidRequest, match="Idempotency-Key"):
            door.admit(with_key(idempotency_key=wrong))
