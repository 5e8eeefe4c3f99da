"""Errors as clients see them: OpenAI's error object, with what a retry would bring."""

import msgspec

from dgrid.core.errors import DGridError


def problem(error: DGridError, request_id: str = "") -> dict[str, object]:
    """The body of an error reply as plain values; it names the request where that has a name."""
    return {
        "error": {
            "message": error.message + (f" ({error.hint})" if error.hint else ""),
            "type": error.kind,
            "param": error.param,
            "code": error.code,
            **({"request_id": request_id} if request_id else {}),
        },
        "availability": {"retryable": error.retryable, "retry_after_ms": error.retry_after_ms},
    }


def problem_body(error: DGridError, request_id: str = "") -> bytes:
    """The body of an error reply."""
    return msgspec.json.encode(problem(error, request_id))
