"""What a training run shows while it runs."""

from hero_rl.training.trl.progress import ProgressLine


def test_a_log_gets_lines_even_where_colours_are_forced(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not ProgressLine().console.is_terminal  # pytest's stderr is no terminal
