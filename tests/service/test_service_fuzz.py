"""What the service says of itself holds for whatever a client may send."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from serving import obedient, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

LIMITS = {"rollouts": 16, "groups": 4, "characters": 500, "runs": 4}
CHECKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
EXAMPLES = int(os.environ.get("HERO_FUZZ_EXAMPLES", "20"))


@pytest.fixture(scope="module")
def service():
    with running(obedient({"limits": LIMITS}, "scores")) as started:
        yield started


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", ["/v1/signals", "/v1/shape", "/openrlhf"])
def test_its_description_holds(service, path, mode):
    description = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operation = description[path]["POST"]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case):
        case.call_and_validate(checks=CHECKS.get_by_names(CHECKED), timeout=60)

    holds()
    assert service.signals("x").json()["rollouts"][0]["verdict"] == 1
