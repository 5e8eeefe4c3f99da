"""What all tests share: where the project lies, and how hard Hypothesis looks."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# The machine that runs the tests may be busy: a slow example is no failure, and no deadline says otherwise.
settings.register_profile("dgrid", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dgrid")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT
