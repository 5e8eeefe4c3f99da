"""Every error of the network, one tree.

DGridError
├── UsageError                the command line cannot be understood
├── RequestError              the caller must change the request
│   ├── InvalidRequest        400 invalid_request
│   ├── InvalidJson           400 invalid_json
│   ├── ContextLengthExceeded 400 context_length_exceeded
│   ├── RequestTooLarge       413 request_too_large
│   ├── RequestTimeout        408 request_timeout
│   ├── RouteNotFound         404 route_not_found
│   ├── MethodNotAllowed      405 method_not_allowed
│   ├── ModelNotFound         404 model_not_found
│   ├── ReceiptNotFound       404 receipt_not_found
│   ├── CaseNotFound          404 case_not_found
│   ├── UnknownParameter      404 unknown_parameter
│   └── IdempotencyConflict   409 idempotency_conflict
├── AuthenticationError       who asks is not proven
│   ├── InvalidApiKey         401 invalid_api_key
│   ├── InvalidSignature      401 invalid_signature
│   ├── SignatureExpired      401 signature_expired
│   ├── SignatureReplayed     401 signature_replayed
│   └── WrongChain            401 wrong_chain
├── InsufficientBudget        402 insufficient_budget
├── RateLimited               429 rate_limited
├── Unavailable               try again, or elsewhere
│   ├── NoNodeAvailable       503 no_node_available
│   ├── ChainUnavailable      503 chain_unavailable
│   ├── StorageUnavailable    503 storage_unavailable
│   └── NetworkUnreachable    503 network_unreachable
├── NodeFault                 a node's doing; the gateway retries elsewhere
│   ├── NodeRefused           503 node_refused
│   ├── NodeUnreachable       502 node_unreachable
│   └── NodeMisbehaved        502 node_misbehaved
├── EngineError               502 engine_error
└── CheckFailed               422 check_failed
    └── NotYet                425 not_yet

Caught in two places only: the retry loop (NodeFault) and the outer edge of a process.
"""

from typing import ClassVar


class DGridError(Exception):
    """The root. `code` is stable and documented; `hint` tells what to do about it."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    kind: ClassVar[str] = "server_error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    request_id: str = ""  # what a gateway that told us the error calls the request

    def __init__(self, message: str, *, hint: str = "", param: str | None = None, retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        self.retry_after_ms = retry_after_ms


class UsageError(DGridError):
    """The command line cannot be understood, or asks for what cannot be."""

    code = "usage"
    exit_code = 2


class RequestError(DGridError):
    status = 400
    code = "invalid_request"
    kind = "invalid_request_error"
    exit_code = 2


class InvalidRequest(RequestError):
    """A field has a value that cannot be served."""


class InvalidJson(RequestError):
    code = "invalid_json"


class ContextLengthExceeded(RequestError):
    code = "context_length_exceeded"


class RequestTooLarge(RequestError):
    status = 413
    code = "request_too_large"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class RouteNotFound(RequestError):
    status = 404
    code = "route_not_found"
    exit_code = 5


class MethodNotAllowed(RequestError):
    """The path is there, for other methods: `allow` lists them."""

    status = 405
    code = "method_not_allowed"
    allow = ""


class ModelNotFound(RequestError):
    status = 404
    code = "model_not_found"
    exit_code = 5


class ReceiptNotFound(RequestError):
    status = 404
    code = "receipt_not_found"
    exit_code = 5


class CaseNotFound(RequestError):
    status = 404
    code = "case_not_found"
    exit_code = 5


class UnknownParameter(RequestError):
    status = 404
    code = "unknown_parameter"
    exit_code = 5


class IdempotencyConflict(RequestError):
    status = 409
    code = "idempotency_conflict"
    exit_code = 4


class AuthenticationError(DGridError):
    status = 401
    code = "invalid_api_key"
    kind = "authentication_error"
    exit_code = 4


class InvalidApiKey(AuthenticationError):
    pass


class InvalidSignature(AuthenticationError):
    code = "invalid_signature"


class SignatureExpired(AuthenticationError):
    code = "signature_expired"


class SignatureReplayed(AuthenticationError):
    code = "signature_replayed"


class WrongChain(AuthenticationError):
    code = "wrong_chain"


class InsufficientBudget(DGridError):
    status = 402
    code = "insufficient_budget"
    kind = "insufficient_quota"
    exit_code = 4


class RateLimited(DGridError):
    status = 429
    code = "rate_limited"
    kind = "rate_limit_error"
    exit_code = 4
    retryable = True


class Unavailable(DGridError):
    status = 503
    code = "unavailable"
    exit_code = 3
    retryable = True


class NoNodeAvailable(Unavailable):
    code = "no_node_available"


class ChainUnavailable(Unavailable):
    code = "chain_unavailable"


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"


class NetworkUnreachable(Unavailable):
    code = "network_unreachable"


class NodeFault(DGridError):
    status = 502
    code = "node_fault"
    retryable = True


class NodeRefused(NodeFault):
    status = 503
    code = "node_refused"


class NodeUnreachable(NodeFault):
    code = "node_unreachable"


class NodeMisbehaved(NodeFault):
    code = "node_misbehaved"


class EngineError(DGridError):
    status = 502
    code = "engine_error"
    retryable = True


class CheckFailed(DGridError):
    """Something that was checked is not so: a receipt, a root, a sum."""

    status = 422
    code = "check_failed"


class NotYet(CheckFailed):
    """It will be so, but is not yet: the epoch is open, the root not anchored."""

    status = 425
    code = "not_yet"
    exit_code = 6
    retryable = True
