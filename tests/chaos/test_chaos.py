"""A few faults of each kind; `make chaos` does many more."""

import pytest
from faults import Run, full_disks, kills, torn_files, two_writers
from service_faults import BODIES, HEADS, killed_workers, raw_requests, serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chaos")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="module")
def service():
    with serving() as started:
        yield started


def test_kills_leave_the_run_that_was_never_killed(run):
    for outcome in kills(run, 4):
        assert not outcome.lost


def test_a_torn_file_costs_one_checkpoint(run):
    assert not torn_files(run, ["optimizer.pt"]).lost


def test_a_full_disk_costs_nothing_that_was_whole(run):
    assert not full_disks(run, 1).lost


def test_of_two_writers_one_is_refused(run):
    assert not two_writers(run, 2).lost


@pytest.mark.parametrize("requests", [HEADS, BODIES], ids=["heads", "bodies"])
def test_raw_bytes_end_in_an_answer_or_in_nothing(service, requests):
    assert not raw_requests(service, requests).lost


def test_workers_that_are_killed_cost_no_answer(service):
    outcome = killed_workers(service, 5)
    assert outcome.survived == outcome.tried >= 5, outcome.lost
    assert service.metric("hero_verifier_respawns_total") >= 1
