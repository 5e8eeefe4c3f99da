"""Errors as clients see them: OpenAI's error object, with what a retry would bring."""

import msgspec

from dgrid.core.errors import DGridError


def problem(error: DGridError) -> dict[str, object]:
    """The body of an error reply as plain values."""
    return {
        "error": {
            "message": error.message + (f" ({error.hint})" if error.hint else ""),
            "type": error.kind,
            "param": error.param,
            "code": error.code,
        },
        "availability": {"retryable": error.retryable, "retry_after_ms": error.retry_after_ms},
    }


def problem_body(error: DGridError) -> bytes:
    """The body of an error reply."""
    return msgspec.json.encode(problem(error))
