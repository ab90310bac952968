"""Fixtures of the tests of data."""

import pytest
from misbehaving_server import Server


@pytest.fixture
def server():
    with Server() as server:
        yield server
