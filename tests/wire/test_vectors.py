"""What Solidity hashed, digested and recovered, done again here (`contracts/test/*Vectors.t.sol` write the answers)."""

import json
from pathlib import Path
from typing import Any

import pytest

from dgrid.core.errors import InvalidSignature
from dgrid.core.merkle import TreeNode, leaf, root_of_path
from dgrid.wire.messages import ChannelConfig, EpochRoot, InferenceReceipt, QualityRoot, Voucher
from dgrid.wire.quality import PayoutRow, amount_of, payouts_tree
from dgrid.wire.seals import Seal, batch_digest, sealed_by
from dgrid.wire.signatures import recover
from dgrid.wire.typed import channel_domain, court_domain, dgrid_domain

FOLDER = Path(__file__).parents[2] / "contracts" / "test"
KNOWN: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text())
COURT: dict[str, Any] = json.loads((FOLDER / "quality_vectors.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


DOMAIN = dgrid_domain(KNOWN["chainId"], raw(KNOWN["settlement"]))
CHANNELS = channel_domain(KNOWN["chainId"], raw(KNOWN["escrow"]))
RECEIPT = InferenceReceipt.from_json(KNOWN["receipt"])


def test_the_domains_are_the_contracts() -> None:
    assert DOMAIN.separator == raw(KNOWN["domainSeparator"])
    assert CHANNELS.separator == raw(KNOWN["escrowDomainSeparator"])


def test_a_receipt_has_the_contracts_hash_and_digest() -> None:
    assert RECEIPT.struct_hash() == raw(KNOWN["receiptHash"])
    assert RECEIPT.usage.struct_hash() == raw(KNOWN["usageHash"])
    assert RECEIPT.hashes.struct_hash() == raw(KNOWN["hashesHash"])
    assert DOMAIN.digest(RECEIPT.struct_hash()) == raw(KNOWN["receiptDigest"])


def test_a_seal_leads_to_the_same_signed_root() -> None:
    known = KNOWN["seal"]
    path = tuple(TreeNode(raw(step["hash"]), int(step["sum"])) for step in known["path"])
    root = root_of_path(leaf(RECEIPT.struct_hash()), index=known["index"], count=known["count"], path=path)
    assert recover(batch_digest(DOMAIN, root.hash), raw(known["signature"])) == raw(known["signer"])


def test_only_the_one_form_of_that_seal_is_taken() -> None:
    known = KNOWN["seal"]
    path, signature = tuple(raw(step["hash"]) for step in known["path"]), raw(known["signature"])
    assert sealed_by(DOMAIN, RECEIPT.struct_hash(), Seal(signature, 1, 2, path)) == raw(known["signer"])
    with pytest.raises(InvalidSignature, match="count"):
        sealed_by(DOMAIN, RECEIPT.struct_hash(), Seal(signature, known["index"], known["count"], path))


def test_an_epochs_root_has_the_contracts_digest_and_signer() -> None:
    root = EpochRoot.from_json(KNOWN["epochRoot"])
    assert root.struct_hash() == raw(KNOWN["epochRootHash"])
    digest = DOMAIN.digest(root.struct_hash())
    assert digest == raw(KNOWN["epochRootDigest"])
    assert recover(digest, raw(KNOWN["epochRootSignature"])) == root.gateway


def test_a_channels_name_and_its_voucher_are_x402s() -> None:
    config = ChannelConfig.from_json(KNOWN["channelConfig"])
    assert CHANNELS.digest(config.struct_hash()) == raw(KNOWN["channelId"])
    voucher = Voucher.from_json(KNOWN["voucher"])
    signer = recover(CHANNELS.digest(voucher.struct_hash()), raw(KNOWN["voucherSignature"]))
    assert signer == raw(KNOWN["voucherSigner"]) == config.payer


def test_a_quality_root_has_the_courts_hash_and_signer() -> None:
    domain = court_domain(COURT["chainId"], raw(COURT["court"]))
    assert domain.separator == raw(COURT["domainSeparator"])
    known = COURT["root"]
    root = QualityRoot.from_json(known["message"])
    assert root.struct_hash() == raw(known["hash"])
    assert recover(domain.digest(root.struct_hash()), raw(known["signature"])) == raw(known["signer"])


def test_pay_outs_have_the_tree_by_which_the_court_paid() -> None:
    rows = [
        PayoutRow(one["kind"], raw(one["gateway"]), raw(one["payee"]), amount_of(int(one["total"])))
        for one in COURT["payouts"]
    ]
    tree, root = payouts_tree(rows), COURT["root"]["message"]
    assert tree.root == TreeNode(raw(root["payoutsRoot"]), int(root["payoutsTotal"]))
    for index, known in enumerate(COURT["payouts"]):
        assert tree.path(index) == tuple(TreeNode(raw(step["hash"]), int(step["sum"])) for step in known["path"])
