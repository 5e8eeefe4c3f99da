"""What all tests share: where the project lies, and how hard Hypothesis looks."""

import sys
from pathlib import Path

import eth_account  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# eth_account is what the tests compare with, and importing it raises the recursion limit a hundredfold. No role imports
# it; so that the tests see what a role would see, the limit is put back before any of them runs.
sys.setrecursionlimit(1000)

# The machine that runs the tests may be busy: a slow example is no failure, and no deadline says otherwise.
settings.register_profile("dgrid", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dgrid")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT
