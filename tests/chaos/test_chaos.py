"""A few faults of each kind; `make chaos` does many more."""

import pytest
from faults import Run, full_disks, kills, torn_files, two_writers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chaos")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("chaos"))


def test_kills_leave_the_run_that_was_never_killed(run):
    for outcome in kills(run, 4):
        assert not outcome.lost


def test_a_torn_file_costs_one_checkpoint(run):
    assert not torn_files(run, ["optimizer.pt"]).lost


def test_a_full_disk_costs_nothing_that_was_whole(run):
    assert not full_disks(run, 1).lost


def test_of_two_writers_one_is_refused(run):
    assert not two_writers(run, 2).lost
