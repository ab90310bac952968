"""HERO's record in a checkpoint: what is damaged is named, never guessed."""

import json
import math

import pytest

from hero_rl.errors import CheckpointError
from hero_rl.monitoring import MonitorState
from hero_rl.rules import GatedHero, Hero
from hero_rl.trainers.state import STATE_FILE, read_state, state_metrics, write_state


def test_what_is_written_is_read_back(tmp_path):
    state = GatedHero().init().model_copy(update={"trust": 0.5, "sigma_bar": 1.25})
    write_state(tmp_path, GatedHero(), state, MonitorState(outside=0.25))
    assert read_state(tmp_path, GatedHero()) == (state, MonitorState(outside=0.25))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: json.dumps(json.loads(text) | {"state": {"sigma_bar": "much"}}),
        lambda text: json.dumps(json.loads(text) | {"state": {"sigma": 1.0}}),
        lambda text: json.dumps(json.loads(text) | {"monitor": None}),
    ],
)
def test_a_damaged_record_is_named(tmp_path, break_it):
    write_state(tmp_path, Hero(), Hero().init(), MonitorState())
    path = tmp_path / STATE_FILE
    path.write_text(break_it(path.read_text()))
    with pytest.raises(CheckpointError, match=STATE_FILE):
        read_state(tmp_path, Hero())


def test_a_state_that_is_not_known_yet_is_logged_as_such():
    nothing = Hero().init()
    assert math.isnan(state_metrics(nothing, nothing)["hero/sigma_bar"])
    known = nothing.model_copy(update={"sigma_bar": 2.0})
    assert state_metrics(nothing, known) == state_metrics(known, nothing) == {"hero/sigma_bar": 2.0}
