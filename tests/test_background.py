import threading
import time

import pytest

from hero_rl.background import Background, CalledOff, in_steps, step, woken_by


def begun(work, name):
    background = Background(work, name)
    background.start()
    return background


def test_it_returns_or_raises_what_the_work_does():
    assert begun(lambda: 4, "four").result() == 4
    with pytest.raises(ZeroDivisionError):
        begun(lambda: 1 / 0, "none").result()


def test_it_runs_beside_in_a_daemon_thread_of_its_name():
    thread = begun(threading.current_thread, "beside").result()
    assert thread.name == "beside"
    assert thread.daemon


def test_what_waits_is_woken():
    bell, waiting = threading.Event(), threading.Event()

    def waits():
        with woken_by(bell.set):
            waiting.set()
            bell.wait(20)

    work = begun(waits, "waits")
    waiting.wait(20)
    start = time.monotonic()
    work.call_off()
    assert time.monotonic() - start < 15  # it would wait 20 s
    with pytest.raises(CalledOff):
        work.result()


def test_what_waits_later_does_not_wait():
    going, bell = threading.Event(), threading.Event()

    def waits():
        going.wait(20)
        with woken_by(bell.set):
            bell.wait(20)

    work = begun(waits, "waits")
    work.call_off(seconds=0.01)
    going.set()
    with pytest.raises(CalledOff):
        work.result()
    assert not bell.is_set()


def test_a_step_ends_and_no_other_begins():
    steps, stepping = [], threading.Event()

    def works():
        with in_steps():
            while True:
                with step():
                    stepping.set()
                    time.sleep(0.3)
                    steps.append("done")

    work = begun(works, "works")
    stepping.wait(20)
    work.call_off(seconds=0.01)
    assert steps == ["done"]
    with pytest.raises(CalledOff):
        work.result()


def test_elsewhere_they_do_nothing():
    with in_steps(), step(), woken_by(lambda: 1 / 0):
        pass


def test_what_never_began_is_called_off_at_once():
    Background(lambda: 1 / 0, "never").call_off()


def test_an_interrupt_while_it_starts_still_calls_it_off(monkeypatch):
    """As a signal does that strikes the caller before the new thread has said that it is there."""
    work = Background(lambda: time.sleep(0.3), "starting")
    monkeypatch.setattr(work._thread._started, "wait", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        work.start()
    work.call_off()
    assert not work._thread.is_alive()
