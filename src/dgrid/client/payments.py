"""The wallet's side of a channel: vouchers and signed requests, so that no gateway can spend more than was agreed.

A voucher's ceiling is what the channel's receipts show as used, plus the most each request under way may cost. What
the gateway says of its own bill counts only as far as its signed receipts say so. Keeps a book a channel, so that
ceilings go on where they were; and each request it signed. Losing them loses no money.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from dgrid.client.book import ChannelBook, book_file
from dgrid.client.flow import Order
from dgrid.client.kept import keep_request
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import model_id, to_hex
from dgrid.core.keccak import ZERO_HASH, salted_hash
from dgrid.core.money import WEI
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import ChannelConfig, Grade, InferenceRequest, Privacy, Voucher
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

MAX_FEE_WEI = WEI  # the most one request may cost unless the wallet says otherwise
DEADLINE_MS = 120_000
GRACE_MS = 60_000  # after its deadline a request that brought no receipt is no longer counted as under way
NONCE_BITS = 53  # what a JSON number carries exactly


@dataclass(frozen=True, slots=True)
class ChannelDomains:
    """What signatures are for: requests to the network, vouchers to its escrow."""

    requests: Domain
    vouchers: Domain


class ChannelWallet:
    """One payer's channel at one gateway."""

    def __init__(
        self,
        key: SigningKey,
        config: ChannelConfig,
        *,
        domains: ChannelDomains,
        folder: Path,
        now_ms: Callable[[], int],
        max_fee_wei: int = MAX_FEE_WEI,
    ) -> None:
        self.config, self.gateway = config, config.gateway
        self.channel_id = domains.vouchers.digest(config.struct_hash())
        self._key, self._domains, self._folder, self._now_ms = key, domains, folder, now_ms
        self._max_fee_wei = max_fee_wei
        self._book = ChannelBook(book_file(folder, self.channel_id))
        self._salts: dict[bytes, bytes] = {}

    @property
    def used_wei(self) -> int:
        """What the gateway's receipts say was used of this channel, ever."""
        return self._book.used_wei

    @property
    def ceiling_wei(self) -> int:
        """What the latest voucher promises at most."""
        return self._book.ceiling_wei

    def raise_used(self, used_wei: int) -> None:
        """Takes note of what the chain says was drawn: the file may be lost or old."""
        self._book.used_wei = max(self.used_wei, used_wei)

    def sign(self, order: Order) -> str:
        """The x-dgrid-payment header for an order."""
        salt, deadline_ms = secrets.token_bytes(32), self._now_ms() + DEADLINE_MS
        request = self._request(order, salt=salt, deadline_ms=deadline_ms)
        digest = self._domains.requests.digest(request.struct_hash())
        self._book.promise(to_hex(digest), request.max_fee, deadline_ms=deadline_ms)
        keep_request(self._folder, digest, request=request)
        self._salts[digest] = salt
        ceiling_wei = self.ceiling_wei
        voucher = self._domains.vouchers.digest(Voucher(self.channel_id, ceiling_wei).struct_hash())
        payment = {
            "chainId": self._domains.requests.chain_id,
            "channelId": to_hex(self.channel_id),
            "voucher": {"maxClaimableAmount": str(ceiling_wei), "signature": to_hex(self._key.sign(voucher))},
            "request": request.to_json(),
            "signature": to_hex(self._key.sign(digest)),
            "salt": to_hex(salt),
        }
        return base64.urlsafe_b64encode(msgspec.json.encode(payment)).decode()

    def own(self, document: ReceiptDocument) -> ReceiptDocument:
        """The receipt with the salt that this wallet chose for the request."""
        return replace(document, salt=self._salts.get(document.receipt.request_id, document.salt))

    def settle(self, document: ReceiptDocument) -> None:
        """Takes a checked receipt into the book. Raises CheckFailed when it bills more than was signed for."""
        receipt = document.receipt
        name = to_hex(receipt.request_id)
        promise = self._book.promises.get(name)
        if promise is None or receipt.request_id not in self._salts:
            raise CheckFailed(f"the receipt {name} bills a request that this wallet did not sign, or billed before")
        if receipt.parties.channel_id != self.channel_id or receipt.parties.payer != self.config.payer:
            raise CheckFailed(f"the receipt {name} bills another channel or payer")
        if receipt.shares.fee > promise.max_fee_wei:
            text = f"the receipt {name} bills {receipt.shares.fee} wei, above the signed maximum"
            raise CheckFailed(text, hint=f"`dgrid receipts complain {name}` shows it to a watcher")
        if receipt.totals.payer > self.ceiling_wei:
            raise CheckFailed(f"the receipt {name} counts {receipt.totals.payer} wei in all, more than was promised")
        self._book.close(name, used_wei=receipt.totals.payer, expired_ms=self._now_ms() - GRACE_MS)
        kept = self._book.promises
        self._salts = {digest: salt for digest, salt in self._salts.items() if to_hex(digest) in kept}

    def _request(self, order: Order, *, salt: bytes, deadline_ms: int) -> InferenceRequest:
        return InferenceRequest(
            request_hash=salted_hash(salt, order.body),
            payer=self.config.payer,
            model_id=model_id(order.model),
            grade=Grade.SIGNED,
            privacy=Privacy.COMMITTEE,
            max_fee=self._max_fee_wei,
            policy_hash=ZERO_HASH,
            nonce=secrets.randbits(NONCE_BITS),
            deadline=deadline_ms,
            gateway=self.gateway,
        )


class Wallets:
    """Payment by vouchers: a channel wallet for each gateway."""

    def __init__(self, by_url: Mapping[str, ChannelWallet]) -> None:
        self._by_url = dict(by_url)

    def add(self, gateway_url: str, wallet: ChannelWallet) -> None:
        """A channel that was opened later."""
        self._by_url[gateway_url] = wallet

    def headers(self, gateway_url: str, order: Order | None) -> Mapping[str, str]:
        """A signed request for an order; looking needs no proof, for the salt is the payer's own."""
        if order is None:
            return {}
        wallet = self._by_url.get(gateway_url)
        if wallet is None:
            raise NetworkUnreachable(f"no channel to the gateway at {gateway_url} yet")
        return {"x-dgrid-payment": wallet.sign(order)}

    def own(self, gateway_url: str, document: ReceiptDocument) -> ReceiptDocument:
        return self._by_url[gateway_url].own(document)

    def settle(self, gateway_url: str, document: ReceiptDocument) -> None:
        self._by_url[gateway_url].settle(document)
