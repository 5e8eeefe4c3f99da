"""Why a peer was not reached, in words. Numbers and tuples of the operating system are left to logs."""

import errno
import os
import re
import socket
import ssl

_NUMBER = re.compile(r"\[Errno (\d+)\]")


def reason_of(error: Exception) -> str:
    """What went wrong with a connection, to stand behind the peer's address."""
    match error:
        case TimeoutError():
            return "it did not answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate does not hold: {error.verify_message}"
        case ssl.SSLError():
            return "it does not speak TLS"
        case socket.gaierror():
            return "no host of that name is known"
        case UnicodeError():
            return "no host can have that name"
        case ConnectionRefusedError():
            return "nothing listens there"
        case ConnectionError():
            return "the connection broke off"
        case OSError():
            return _system_reason(error)
        case _:
            return str(error) or type(error).__name__


def _system_reason(error: OSError) -> str:
    """asyncio joins what several addresses of one name answered into one text, without a number of its own."""
    number = error.errno or next((int(found) for found in _NUMBER.findall(str(error))), 0)
    if number == errno.ECONNREFUSED:
        return "nothing listens there"
    return os.strerror(number).lower() if number else str(error)
