import pytest

from dgrid.core.errors import EngineError
from dgrid.engines.engine import Token
from dgrid.node.evidence import LOGPROB_MIN, EvidenceCollector
from dgrid.wire.evidence import TOKENS_MAX, UNKNOWN_ID, decode_evidence


def test_collects_each_choices_tokens_in_order() -> None:
    collector = EvidenceCollector(2)
    collector.add(1, (Token(id=5, logprob=-1.0), Token(id=6, logprob=-2.0)))
    collector.add(0, (Token(id=7, logprob=-0.5),))
    collector.add(1, ())
    first, second = decode_evidence(collector.encode())
    assert (list(first.ids), list(second.ids), list(second.logprobs)) == ([7], [5, 6], [-1.0, -2.0])
    assert collector.count == 3


@pytest.mark.parametrize("token", [Token(id=-1), Token(id=2**70), Token(id=UNKNOWN_ID)])
def test_an_id_that_is_none_is_written_as_unknown(token: Token) -> None:
    collector = EvidenceCollector(1)
    collector.add(0, (token,))
    assert decode_evidence(collector.encode())[0].ids == (UNKNOWN_ID,)


def test_an_impossible_log_probability_still_fits() -> None:
    collector = EvidenceCollector(1)
    collector.add(0, (Token(id=1, logprob=-1e300),))
    assert decode_evidence(collector.encode())[0].logprobs == (LOGPROB_MIN,)


def test_an_engine_that_floods_is_stopped() -> None:
    collector = EvidenceCollector(1)
    with pytest.raises(EngineError):
        collector.add(0, (Token(),) * (TOKENS_MAX + 1))
