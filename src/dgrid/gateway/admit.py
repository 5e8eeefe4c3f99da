"""Who asks, and for what: keys, vouchers and signed requests are checked here, and the body is understood.

Refuses: a caller whose channel the finalized chain does not know, a channel that is being withdrawn, a signature that
is wrong, expired, for another gateway or another chain. Holds no money and chooses no node.
"""

import base64
import binascii
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from dgrid.core.errors import (
    InsufficientBudget,
    InvalidApiKey,
    InvalidRequest,
    InvalidSignature,
    SignatureExpired,
    WrongChain,
)
from dgrid.core.identity import api_key_tag, channel_salt, from_hex, model_id
from dgrid.core.keccak import keccak, salted_hash
from dgrid.gateway.facts import ChainFacts, Channel
from dgrid.gateway.orders import ANY_FEE, Order
from dgrid.store.ledger_rows import IDEMPOTENCY_KEY_MAX, Funds, IdempotencyKey, OrderDigest
from dgrid.wire.messages import Grade, InferenceRequest, Privacy, Voucher
from dgrid.wire.openai import ABOUT_THE_WAY, ChatRequest, decode_chat
from dgrid.wire.server import Request
from dgrid.wire.signatures import recover, recover_cached
from dgrid.wire.typed import Domain

DEADLINE_AHEAD_MS_MAX = 24 * 3600 * 1000  # bounds how long a signed request must be remembered
KEYS_REMEMBERED = 4096
SALT_BYTES, SALTS_DRAWN = 32, 64
PAYMENT_BYTES_MAX = 16 * 1024
PRIVACY = {"committee": Privacy.COMMITTEE, "public": Privacy.PUBLIC, "none": Privacy.NONE}


class PaymentVoucher(msgspec.Struct, frozen=True, rename="camel"):
    max_claimable_amount: str
    signature: str


class Payment(msgspec.Struct, frozen=True, rename="camel"):
    """The x-dgrid-payment header: a voucher, and a request signed by its payer."""

    chain_id: int
    channel_id: str
    voucher: PaymentVoucher
    request: dict[str, object]
    signature: str
    salt: str


@dataclass(frozen=True, slots=True)
class Door:
    """What the door knows of itself: the gateway's address and the domains it reads signatures in."""

    gateway: bytes
    domain: Domain
    channels: Domain  # of vouchers: x402's
    chain: ChainFacts
    fence: int
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """What a payer signed itself."""

    request: InferenceRequest
    digest: bytes
    salt: bytes


class Admission:
    """Checks callers of one gateway."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._count = 0
        self._salts = salts()
        self._known_version = -1
        self._channels: dict[str, Channel] = {}
        self._funds: dict[str, Funds] = {}

    def admit(self, request: Request) -> Order:
        """The order behind a request. Raises an AuthenticationError, InsufficientBudget or a RequestError."""
        payment = request.headers.get(b"x-dgrid-payment")
        if payment is not None:
            funds, signed = self._open_payment(payment, request.body)
        else:
            funds, signed = self.funds_of_key(request.header(b"authorization")), None
        chat = decode_chat(request.body)
        return self._order(request, chat, funds=funds, signed=signed)

    def funds_of_key(self, authorization: str) -> Funds:
        """The channel behind an API key. Raises InvalidApiKey or InsufficientBudget."""
        channel = self.channel_of_key(authorization)
        if (known := self._funds.get(authorization)) is None:
            known = self._funds[authorization] = custodial_funds(channel)
        return known

    def channel_of_key(self, authorization: str) -> Channel:
        """The channel behind an Authorization header. Raises InvalidApiKey."""
        chain = self._door.chain
        if self._known_version != chain.version:
            self._known_version = chain.version
            self._channels.clear()
            self._funds.clear()
        if (known := self._channels.get(authorization)) is not None:
            return known
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.startswith("dg-"):
            told = "an API key begins with dg-; this is none" if key else "no API key was given"
            raise InvalidApiKey(told, hint="send `Authorization: Bearer dg-…`")
        channel = chain.channel_of_salt(channel_salt(self._door.gateway, api_key_tag(key)))  # type: ignore[arg-type]
        if channel is None:
            raise InvalidApiKey(
                "no finalized channel to this gateway belongs to the API key",
                hint="is it this network's key? A new deposit counts once it is final",
            )
        if len(self._channels) < KEYS_REMEMBERED:
            self._channels[authorization] = channel
        return channel

    def _order(self, request: Request, chat: ChatRequest, *, funds: Funds, signed: SignedOrder | None) -> Order:
        door = self._door
        if signed is not None:
            check_order(signed.request, chat)
        if chat.dgrid is not None and chat.dgrid.verify != "signed":
            raise InvalidRequest("this gateway sells the grade `signed` only", param="dgrid.verify")
        salt = signed.salt if signed else next(self._salts)
        max_fee_wei = signed.request.max_fee if signed else ANY_FEE
        if chat.dgrid is not None and chat.dgrid.budget is not None:
            max_fee_wei = min(max_fee_wei, wei_of(chat.dgrid.budget, "dgrid.budget"))
        body = forwarded(chat, request.body)
        request_hash = signed.request.request_hash if signed else salted_hash(salt, request.body)
        as_received = body is request.body and signed is None
        return Order(
            signed.digest if signed else self._next_request_id(),
            funds,
            chat,
            body,
            salt,
            request_hash,
            request_hash if as_received else salted_hash(salt, body),
            door.now_ms(),
            max_fee_wei,
            privacy_of(chat, signed),
            Grade.SIGNED,
            OrderDigest(signed.digest, signed.request.deadline) if signed else None,
            idempotency_of(request, funds),
        )

    def _next_request_id(self) -> bytes:
        """Unique for good: the fence has grown since any earlier process."""
        self._count += 1
        nonce = self._door.fence << 32 | self._count
        return keccak(self._door.gateway + nonce.to_bytes(32, "big"))

    def _open_payment(self, header: bytes, body: bytes) -> tuple[Funds, SignedOrder]:
        door, payment = self._door, decode_payment(header)
        if payment.chain_id != door.domain.chain_id:
            raise WrongChain(f"this gateway settles on chain {door.domain.chain_id}, not {payment.chain_id}")
        channel_id, salt = (
            hex_of(payment.channel_id, size=32, name="channelId"),
            hex_of(payment.salt, size=32, name="salt"),
        )
        channel = door.chain.channel(channel_id)
        if channel is None or channel.config.gateway != door.gateway:
            raise InvalidSignature(
                "no finalized channel to this gateway has that id", hint="a new deposit counts once it is final"
            )
        signed = self._open_request(payment, channel, salt=salt)
        if salted_hash(salt, body) != signed.request.request_hash:
            raise InvalidSignature("the signed request is not the one in the body")
        return self._open_voucher(payment, channel), signed

    def _open_request(self, payment: Payment, channel: Channel, *, salt: bytes) -> SignedOrder:
        door, config = self._door, channel.config
        try:
            request = InferenceRequest.from_json(payment.request)
        except ValueError as error:
            raise InvalidRequest(f"x-dgrid-payment: {error}") from None
        if request.gateway != door.gateway or request.payer != config.payer:
            raise InvalidSignature("the signed request is for another gateway or payer")
        digest = door.domain.digest(request.struct_hash())
        signer = recover(digest, hex_of(payment.signature, size=65, name="signature"))
        if signer not in (config.payer, config.payer_authorizer):
            raise InvalidSignature("the request is not signed by the channel's payer")
        now_ms = door.now_ms()
        if request.deadline <= now_ms:
            raise SignatureExpired("the signed request's deadline has passed")
        if request.deadline > now_ms + DEADLINE_AHEAD_MS_MAX:
            raise InvalidRequest("a signed request's deadline lies at most a day ahead")
        return SignedOrder(request, digest, salt)

    def _open_voucher(self, payment: Payment, channel: Channel) -> Funds:
        config, voucher = channel.config, payment.voucher
        amount_wei = wei_of(voucher.max_claimable_amount, "maxClaimableAmount")
        signature = hex_of(voucher.signature, size=65, name="voucher.signature")
        digest = self._door.channels.digest(Voucher(channel.channel_id, amount_wei).struct_hash())
        if recover_cached(digest, signature) != (
            config.payer_authorizer if any(config.payer_authorizer) else config.payer
        ):
            raise InvalidSignature("the voucher is not signed by the channel's authorizer")
        return funds_of(channel, ceiling_wei=amount_wei, signature=signature)


def salts() -> Iterator[bytes]:
    """Secret random salts without end, drawn from the system for many requests at once: each draw is a system call."""
    while True:
        drawn = os.urandom(SALT_BYTES * SALTS_DRAWN)
        for at in range(0, len(drawn), SALT_BYTES):
            yield drawn[at : at + SALT_BYTES]


def forwarded(chat: ChatRequest, body: bytes) -> bytes:
    """The body as a node gets it: without what concerns its way, so that no node knows by it who asks, and why.

    An evaluator's repeated question names one node and its privacy; a node that saw this could be good to it alone.
    """
    if chat.provider is None and chat.dgrid is None and chat.models is None:
        return body
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in ABOUT_THE_WAY})


def custodial_funds(channel: Channel) -> Funds:
    """A channel whose deposit is its ceiling, since this gateway signs for it. Raises InsufficientBudget."""
    return funds_of(channel, ceiling_wei=None, signature=None)


def funds_of(channel: Channel, *, ceiling_wei: int | None, signature: bytes | None) -> Funds:
    """A channel's money. Raises InsufficientBudget for one that is being withdrawn."""
    if channel.is_leaving:
        raise InsufficientBudget(
            "the channel is being withdrawn", hint="pay from another, or deposit again once the withdrawal is paid out"
        )
    config = channel.config
    return Funds(
        channel.channel_id,
        config.payer,
        config.token,
        packed_config(config),
        channel.deposited_wei,
        ceiling_wei,
        signature,
    )


packed_config = lru_cache(maxsize=KEYS_REMEMBERED)(lambda config: config.packed())


def decode_payment(header: bytes) -> Payment:
    """Raises InvalidRequest."""
    if len(header) > PAYMENT_BYTES_MAX:
        raise InvalidRequest(f"x-dgrid-payment has at most {PAYMENT_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)), type=Payment)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"x-dgrid-payment is malformed: {error}") from None


def check_order(request: InferenceRequest, chat: ChatRequest) -> None:
    """Whether the body asks for what was signed. Raises InvalidSignature or InvalidRequest."""
    if request.model_id != model_id(chat.model):
        raise InvalidSignature("the signed request names another model than the body")
    if request.grade != Grade.SIGNED:
        raise InvalidRequest("this gateway sells the grade `signed` only", param="dgrid.verify")


def privacy_of(chat: ChatRequest, signed: SignedOrder | None) -> Privacy:
    """What the caller asked for. Raises InvalidRequest."""
    try:
        if signed is not None:
            return Privacy(signed.request.privacy)
        return PRIVACY[chat.dgrid.privacy] if chat.dgrid is not None else Privacy.COMMITTEE
    except (ValueError, KeyError):
        raise InvalidRequest("privacy is one of " + ", ".join(PRIVACY), param="dgrid.privacy") from None


def idempotency_of(request: Request, funds: Funds) -> IdempotencyKey | None:
    """The caller's Idempotency-Key. Raises InvalidRequest."""
    key = request.header(b"idempotency-key")
    if not key:
        return None
    if len(key) > IDEMPOTENCY_KEY_MAX or not key.isprintable():
        raise InvalidRequest(f"an Idempotency-Key has at most {IDEMPOTENCY_KEY_MAX} printable characters")
    return IdempotencyKey(key, keccak(funds.channel_id + request.body))


def wei_of(text: str | int, name: str) -> int:
    """An amount as clients write it. Raises InvalidRequest."""
    try:
        amount = int(text)
    except ValueError:
        raise InvalidRequest(f"{name} is not a whole number of wei", param=name) from None
    if not 0 <= amount <= ANY_FEE:
        raise InvalidRequest(f"{name} is out of range", param=name)
    return amount


def hex_of(text: str, *, size: int, name: str) -> bytes:
    """Bytes as clients write them. Raises InvalidRequest."""
    try:
        return from_hex(text, size=size)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}", param=name) from None
