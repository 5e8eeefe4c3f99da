"""What is kept in the user's folder, and for how long."""

import os
from pathlib import Path

from tests.client.test_payments import ORDER, opened, request_of, wallet
from tests.wire.making import DOMAIN

from dgrid.client.kept import forget_requests, kept_request
from dgrid.core.identity import to_hex


def test_the_latest_requests_are_kept_and_the_oldest_forgotten(tmp_path: Path) -> None:
    forget_requests(tmp_path, most=7)  # nothing is there yet
    payer, names = wallet(tmp_path), []
    for at in range(7):
        request = request_of(opened(payer.sign(ORDER)))
        names.append(to_hex(DOMAIN.digest(request.struct_hash())))
        os.utime(tmp_path / "requests" / f"{names[-1]}.json", (at, at))
    forget_requests(tmp_path, most=7)
    assert all(kept_request(tmp_path, name) for name in names)
    forget_requests(tmp_path, most=3)
    assert [kept_request(tmp_path, name) is not None for name in names] == [False] * 4 + [True] * 3
    assert payer.ceiling_wei == 7 * 10**18, "what is promised is kept apart from them"
