"""Files are whole or not there; nothing that lies in the way is followed or left."""

import os
import signal
import subprocess
import sys

import pytest

from hero_rl.errors import ConfigError
from hero_rl.files.journal import Journal
from hero_rl.files.whole import replacing, write_whole
from hero_rl.rollouts import Rollout, write_rollouts

HALF = """
import sys, time
from pathlib import Path
from hero_rl.files.whole import replacing

with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    time.sleep(600)
"""


def half_written(path):
    process = subprocess.Popen([sys.executable, "-c", HALF, path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"half\n"
    return process


def test_an_error_leaves_what_was_there(tmp_path):
    write_whole(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as file:
        file.write(b"new")
        1 / 0  # noqa: B018
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").read_text() == "text"


def test_a_circle_of_links_is_named(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for write in (lambda: write_whole(tmp_path / "a", ""), lambda: write_rollouts(tmp_path / "a", [])):
        with pytest.raises(ConfigError, match="a: Too many levels of symbolic links"):
            write()


def test_what_a_killed_writer_left_is_swept_and_a_living_one_s_is_not(tmp_path):
    path = tmp_path / "a"
    with half_written(path) as first:
        write_whole(path, "second")
        assert len(list(tmp_path.iterdir())) == 2, "the first is at work"
        first.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".a.notes.tmp").touch()
    (tmp_path / ".ab.01234567.tmp").touch()
    write_whole(path, "third")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.notes.tmp", ".ab.01234567.tmp", "a"]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.parquet"])
def test_no_name_that_can_be_guessed_is_written_to(tmp_path, name):
    (tmp_path / "precious").write_text("kept")
    links = [tmp_path / guess.format(name) for guess in (".{}.tmp", ".{}.rows", "{}.tmp", "{}.partial", "{}.new")]
    for link in links:
        link.symlink_to("precious")
    write_rollouts(tmp_path / name, [Rollout("p", "c", id="a")])
    assert (tmp_path / "precious").read_text() == "kept" and all(link.is_symlink() for link in links)
    assert len(list(tmp_path.iterdir())) == len(links) + 2


def test_a_pipe_in_a_temporary_file_s_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / ".out.json.0123abcd.tmp")
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from hero_rl.files.whole import write_whole; "
            "write_whole(Path(sys.argv[1]), 'whole')",
            tmp_path / "out.json",
        ],
        timeout=60,
    )
    assert process.returncode == 0
    assert (tmp_path / "out.json").read_text() == "whole"


def test_a_journal_is_not_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("no end of line")
    (tmp_path / "journal.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match=r"journal\.jsonl: "):
        Journal(tmp_path / "journal.jsonl")
    assert (tmp_path / "precious").read_text() == "no end of line"
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ConfigError, match=r"pipe\.jsonl: .*seekable"):
        Journal(tmp_path / "pipe.jsonl")


def test_a_folder_that_is_not_there_is_told_by_the_file_s_own_name(tmp_path):
    with pytest.raises(FileNotFoundError) as said:
        write_whole(tmp_path / "gone" / "page.html", "text")
    assert said.value.filename == str(tmp_path / "gone" / "page.html")
