"""Why a node refuses a dispatch: one type a reason, so that a gateway can act on it.

NodeRefused                503
├── NotForThisNode         not_for_this_node    the dispatch names another node
├── ModelNotOffered        model_not_offered    this model, digest or token is not sold here
├── PriceTooLow            price_too_low        below the offer
├── UnknownGateway         unknown_gateway      not registered, or no credit line for this node
├── CreditLineReached      credit_line_reached  unsettled work would pass the line
├── AcknowledgeFirst       acknowledge_first    too much work that no receipt acknowledges
├── TotalShort             total_short          a signed receipt owes the node less than it should
├── AtCapacity             at_capacity          all places are taken; wait a moment
└── Draining               draining             no new work

What is wrong with the message itself has the errors of `core.errors`: InvalidRequest, InvalidSignature,
SignatureExpired, SignatureReplayed, ContextLengthExceeded.
"""

from dgrid.core.errors import NodeRefused


class NotForThisNode(NodeRefused):
    code = "not_for_this_node"


class ModelNotOffered(NodeRefused):
    code = "model_not_offered"


class PriceTooLow(NodeRefused):
    code = "price_too_low"


class UnknownGateway(NodeRefused):
    code = "unknown_gateway"


class CreditLineReached(NodeRefused):
    code = "credit_line_reached"


class AcknowledgeFirst(NodeRefused):
    code = "acknowledge_first"


class TotalShort(NodeRefused):
    code = "total_short"


class AtCapacity(NodeRefused):
    code = "at_capacity"


class Draining(NodeRefused):
    code = "draining"
