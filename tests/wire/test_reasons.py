"""What people are told of a peer that was not reached."""

import errno
import http.client
import os
import socket
import ssl

import pytest

from dgrid.wire.reasons import reason_of

REFUSED = "[Errno 111] Connect call failed"
ON_BOTH = OSError(f"Multiple exceptions: {REFUSED} ('::1', 1, 0, 0), {REFUSED} ('127.0.0.1', 1)")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "nothing listens there"),
        (
            OSError(f"Multiple exceptions: {REFUSED} ('::1', 1, 0, 0), {REFUSED} ('127.0.0.1', 1)"),
            "nothing listens there",
        ),
        (socket.gaierror(-2, "Name or service not known"), "no host of that name is known"),
        (TimeoutError(), "it did not answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "the connection broke off"),
        (http.client.RemoteDisconnected("Remote end closed connection"), "the connection broke off"),
        (OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)), "network is unreachable"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "it does not speak TLS"),
        (http.client.IncompleteRead(b""), "IncompleteRead(0 bytes read)"),
    ],
)
def test_a_reason_is_words_without_the_systems_numbers(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_port_on_which_nothing_listens_is_told_as_that() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(OSError) as refused:  # noqa: PT011 whatever the system says
        socket.create_connection(address, timeout=5)
    assert reason_of(refused.value) == "nothing listens there"
