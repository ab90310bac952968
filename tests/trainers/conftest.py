import pytest
from tiny_models import write


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Paths of a tiny random policy and a tiny random reward model."""
    return write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def policy(tiny):
    return tiny[0]
