from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PublicKey, SealedBox
from nacl.secret import SecretBox

from dgrid.config import ConfigError
from dgrid.core.errors import CheckFailed
from dgrid.evaluator.keys import FILE_NAME, EncryptionKey, open_leaf
from dgrid.wire.quality import Content, DisclosedLeaf, SealedKey, encode_content

ME, OTHER = b"\x01" * 20, b"\x02" * 20
CONTENT = Content(b"s" * 32, b"{}", "Oslo", b"\x01\x00")
SECRET = b"k" * 32
KEY = EncryptionKey(b"\x05" * 32)


def sealed(public: bytes, *, to: bytes = ME, content: bytes = encode_content(CONTENT)) -> DisclosedLeaf:
    box = bytes(SealedBox(PublicKey(public)).encrypt(SECRET))
    return DisclosedLeaf(0, 3, bytes(SecretBox(SECRET).encrypt(content)), (SealedKey(to, box),))


def test_the_key_is_made_once_for_its_owner_alone_and_never_shown(tmp_path: Path) -> None:
    made = EncryptionKey.kept_in(tmp_path)
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert EncryptionKey.kept_in(tmp_path).public == made.public
    assert path.read_text().strip() not in repr(made)


def test_a_draft_that_a_crash_left_is_no_key(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).with_suffix(".new").write_text("half")
    assert len(EncryptionKey.kept_in(tmp_path).public) == 32


@pytest.mark.parametrize("text", ["", "00", "zz" * 32])
def test_a_file_that_holds_no_key_is_said_and_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    with pytest.raises(ConfigError):
        EncryptionKey.kept_in(tmp_path)
    assert path.read_text() == text


def test_content_opens_for_the_one_it_is_sealed_to() -> None:
    assert open_leaf(sealed(KEY.public), KEY, evaluator=ME) == CONTENT


def test_open_content_needs_no_key() -> None:
    assert open_leaf(DisclosedLeaf(0, 3, encode_content(CONTENT)), KEY, evaluator=ME) == CONTENT


def test_what_is_sealed_to_another_stays_closed() -> None:
    stranger = EncryptionKey(b"\x06" * 32)
    for leaf in (sealed(KEY.public, to=OTHER), sealed(stranger.public)):
        with pytest.raises(CheckFailed):
            open_leaf(leaf, KEY, evaluator=ME)


@given(st.binary(max_size=200))
def test_no_bytes_of_a_gateway_do_more_than_fail_a_check(noise: bytes) -> None:
    leaves = [
        DisclosedLeaf(0, 0, noise),
        DisclosedLeaf(0, 0, noise, (SealedKey(ME, noise),)),
        sealed(KEY.public, content=noise),
    ]
    for leaf in leaves:
        with pytest.raises(CheckFailed):
            open_leaf(leaf, KEY, evaluator=ME)
