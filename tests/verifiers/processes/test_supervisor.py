"""Real processes that hang, die, eat memory and are killed."""

import asyncio
import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_verifiers import Obedient, Partial, Rotting, Runner, Spawner, Staged, Unpicklable

from hero_rl.errors import ConfigError, UnscorableError
from hero_rl.verifiers import BatchVerifier, ExactVerifier, Reason, Request, Verifier
from hero_rl.verifiers.processes import memory, pool
from hero_rl.verifiers.processes import supervised as module
from hero_rl.verifiers.processes.supervised import Supervised

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
PATIENT = 30.0  # seconds that no check here needs, however busy the machine


@pytest.fixture(scope="module")
def patient() -> Iterator[Supervised]:
    with Supervised(Obedient(), workers=2, seconds=PATIENT, memory_mb=512) as supervised:
        yield supervised


@pytest.fixture(scope="module")
def quick() -> Iterator[Supervised]:
    with Supervised(Obedient(), workers=1, seconds=0.5, memory_mb=512) as supervised:
        supervised.verify("5", "5")
        yield supervised


def reasons(verdicts):
    return [verdict.reason for verdict in verdicts]


def gained(supervised, before):
    names = ("timeouts", "respawns", "abstentions", "crashes")
    return {name: supervised.counters[name] - before[name] for name in names}


def pid_of_the_worker(supervised):
    return int(supervised.verify("", f"do:pid {time.monotonic()}").answer)


def lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def until(condition, seconds=PATIENT):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_is_a_verifier_of_batches(patient):
    assert isinstance(patient, Verifier)
    assert isinstance(patient, BatchVerifier)


def test_verdicts_are_the_verifiers_own(patient):
    verdict = patient.verify("5", "5")
    assert (verdict.value, verdict.reason, verdict.answer) == (1.0, Reason.MATCHED_EXACTLY, "5")
    assert 0 < verdict.seconds < PATIENT
    assert patient.verify("5", "6").value == 0.0


def test_a_batch_keeps_its_order(patient):
    pairs = [(str(i % 7), str(i % 5)) for i in range(100)]
    pairs[3] = ("", "do:sleep 0.3")
    expected = [ExactVerifier().verify(*pair).value for pair in pairs]
    expected[3] = 1.0
    assert [verdict.value for verdict in patient.verify_batch(pairs)] == expected
    assert patient.verify_batch([]) == []
    assert patient.verify_batch([Request("5", "5", "what is it?")])[0].value == 1.0


@pytest.mark.parametrize("text", ["", "\0", "\ud800 alone", "é 数 😀", "x" * 1_000_000, "\n", '"\\'], ids=range(7))
def test_any_text_arrives_whole(patient, text):
    verdict = patient.verify(text, text)
    assert (verdict.value, verdict.answer) == (1.0, text)


@pytest.mark.parametrize("order", ["loop", "power", "backtrack"])
def test_an_answer_that_takes_too_much_processor_time_is_wrong(quick, order):
    before = quick.counters
    verdict = quick.verify("5", f"do:{order}")
    assert (verdict.value, verdict.reason) == (0.0, Reason.TOO_SLOW)
    assert quick.verify("5", "5").value == 1.0
    assert gained(quick, before) == {"timeouts": 1, "respawns": 1, "abstentions": 0, "crashes": 0}


# What an order does to the worker: it costs it so many times, and the answer gets 0 for that reason.
@pytest.mark.parametrize(
    ("order", "deaths", "reason"),
    [
        ("leave", 2, Reason.UNREADABLE_ANSWER),
        ("segfault", 2, Reason.UNREADABLE_ANSWER),
        ("abort", 2, Reason.UNREADABLE_ANSWER),
        ("kill", 2, Reason.UNREADABLE_ANSWER),
        ("bomb", 2, Reason.TOO_LARGE),
        ("exit", 0, Reason.UNREADABLE_ANSWER),
        ("interrupt", 0, Reason.UNREADABLE_ANSWER),
        ("fail", 0, Reason.UNREADABLE_ANSWER),
        ("recurse", 0, Reason.UNREADABLE_ANSWER),
        ("nonsense", 0, Reason.UNREADABLE_ANSWER),
        ("gossip", 0, Reason.UNREADABLE_ANSWER),
    ],
)
def test_an_answer_that_makes_its_check_fail_is_wrong_and_harms_no_other(patient, order, deaths, reason):
    before = patient.counters
    verdicts = patient.verify_batch([("5", "5"), ("5", f"do:{order}"), ("5", "6"), ("6", "6")])
    assert reasons(verdicts) == [Reason.MATCHED_EXACTLY, reason, Reason.MISMATCH, Reason.MATCHED_EXACTLY]
    assert verdicts[1].value == 0.0
    assert reasons(patient.verify_batch([("7", "7")] * 3)) == [Reason.MATCHED_EXACTLY] * 3
    assert gained(patient, before) == {"timeouts": 0, "respawns": deaths, "abstentions": 0, "crashes": 1}


@pytest.mark.parametrize("order", ["fail", "leave", "loop", "abstain"])
def test_a_reference_that_the_verifier_fails_on_is_nobodys_fault(order):
    with Supervised(Partial(f"do:{order}"), workers=1, seconds=0.5, memory_mb=512) as supervised:
        verdicts = supervised.verify_batch([(f"do:{order}", "5"), ("5", "5"), ("5", f"do:{order}")])
    assert verdicts[0].abstained
    assert verdicts[1].value == 1.0
    assert order == "abstain" or verdicts[2].value == 0.0


def test_a_broken_worker_is_no_fault_of_the_answer(tmp_path):
    with Supervised(Rotting(), workers=1, seconds=PATIENT) as supervised:
        assert supervised.verify("5", "do:rot").value == 0.0
        # Its worker raises from now on, on any reference: a fresh one does not.
        assert reasons(supervised.verify_batch([("5", "5"), ("5", "6")])) == [Reason.MATCHED_EXACTLY, Reason.MISMATCH]
        assert supervised.counters["abstentions"] == 0


def test_processor_time_counts_and_not_the_clock(patient):
    with Supervised(Obedient(), workers=1, seconds=0.1) as supervised:
        assert supervised.verify("5", "do:sleep 0.5").value == 1.0


def test_silence_is_nobodys_fault_unless_the_verifier_says_so(monkeypatch):
    monkeypatch.setattr(pool, "_LEAST_PATIENCE", 1.0)
    with Supervised(Obedient(), workers=1, seconds=0.1) as supervised:
        before = supervised.counters
        verdict = supervised.verify("5", "do:swallow")
        assert (verdict.reason, verdict.abstained) == (Reason.TIMED_OUT, True)
        assert gained(supervised, before) == {"timeouts": 1, "respawns": 1, "abstentions": 1, "crashes": 0}
        assert supervised.verify("5", "5").value == 1.0
    with Supervised(Runner(), workers=1, seconds=0.5) as supervised:
        verdicts = supervised.verify_batch([("5", "do:swallow"), ("5", "5")])
        assert reasons(verdicts) == [Reason.TOO_SLOW, Reason.MATCHED_EXACTLY]
        # Where it hangs on the reference as well, it is not the answer.
        assert supervised.verify("do:swallow", "do:swallow ").reason is Reason.TIMED_OUT


def test_ranks_share_the_cores_of_their_machine(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda process: range(8), raising=False)
    assert Supervised(Obedient()).workers == 8
    for ranks, share in (("4", 2), ("3", 2), ("16", 1), ("", 8), ("0", 8)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", ranks)
        assert Supervised(Obedient()).workers == share
    assert Supervised(Obedient(), workers=5).workers == 5


def test_what_a_verifier_prints_or_reads_goes_nowhere(patient, capfd):
    verdicts = patient.verify_batch([("5", "do:chatter"), ("5", "5")])
    assert (verdicts[0].answer, verdicts[1].value) == ("", 1.0)
    assert capfd.readouterr() == ("", "")


@LINUX
def test_what_a_verifier_started_is_killed_with_it(tmp_path):
    with Supervised(Spawner(), workers=1, seconds=0.5) as supervised:
        assert supervised.verify("", f"do:spawn {tmp_path / 'pid'}").reason is Reason.TOO_SLOW
        assert supervised.verify("5", "5").value == 1.0
    assert not alive(int(lines(tmp_path / "pid")[0]))


def test_a_worker_killed_from_outside_loses_nothing(patient, tmp_path):
    checks = [("", f"do:write {tmp_path / f'log{i}'}") for i in range(6)]
    before = patient.counters["respawns"]

    def kill_the_first():
        until(lambda: lines(tmp_path / "log0"))
        os.kill(int(lines(tmp_path / "log0")[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    verdicts = patient.verify_batch(checks)
    killer.join()
    assert reasons(verdicts) == [Reason.MATCHED_BY_VALUE] * 6
    assert patient.counters["respawns"] > before


def test_a_check_whose_worker_dies_is_made_once_more(patient, tmp_path):
    assert patient.verify("", f"do:die_once {tmp_path / 'log'}").value == 1.0
    first, second = lines(tmp_path / "log")
    assert first != second


def test_a_worker_killed_between_batches_is_replaced(quick):
    old = pid_of_the_worker(quick)
    os.kill(old, signal.SIGKILL)
    assert reasons(quick.verify_batch([("5", "5"), ("5", "6")])) == [Reason.MATCHED_EXACTLY, Reason.MISMATCH]
    assert pid_of_the_worker(quick) != old


def test_a_worker_that_stands_still_is_replaced(monkeypatch):
    monkeypatch.setattr(pool, "_LEAST_PATIENCE", 1.0)
    with Supervised(Obedient(), workers=1, seconds=0.05) as supervised:
        old = pid_of_the_worker(supervised)
        os.kill(old, signal.SIGSTOP)
        # More than a pipe holds, so that already sending it must end at the deadline.
        assert supervised.verify("5", "x" * 1_000_000).reason is Reason.TIMED_OUT
        assert pid_of_the_worker(supervised) != old


def test_workers_work_side_by_side(patient, tmp_path):
    patient.verify_batch([("", f"do:write {tmp_path / 'log'}{i}") for i in range(6)])
    assert len({lines(tmp_path / f"log{i}")[0] for i in range(6)}) == 2


def test_time_in_the_queue_does_not_count():
    with Supervised(Obedient(), workers=1, seconds=1.0) as supervised:
        # Each is another text, so that none is a duplicate; together they take longer than the limit.
        verdicts = supervised.verify_batch([("", f"do:sleep 0.3{i}") for i in range(5)])
    assert reasons(verdicts) == [Reason.MATCHED_BY_VALUE] * 5
    assert all(0.3 <= verdict.seconds < 1.5 for verdict in verdicts)


def test_equal_checks_are_made_once(patient, tmp_path):
    before = patient.counters
    check = ("", f"do:write {tmp_path / 'log'}")
    verdicts = patient.verify_batch([check, ("5", "5"), check, check])
    assert [verdict.value for verdict in verdicts] == [1.0] * 4
    assert len(lines(tmp_path / "log")) == 1
    assert [verdict.seconds > 0 for verdict in verdicts] == [True, True, False, False]
    gained = {name: count - before[name] for name, count in patient.counters.items()}
    assert (gained["checks"], gained["judged"], gained["cache_hits"], gained["quick"]) == (4, 2, 2, 0)


def test_stages(tmp_path):
    log = tmp_path / "log"
    # Its warm-up takes longer than the limit of a check, and is no part of one.
    with Supervised(Staged(str(log)), workers=1, seconds=0.5) as supervised:
        said = ["answer: 6", "so the answer: 6", "answer: 5", "none", "unextractable", "answer: unquick"]
        verdicts = supervised.verify_batch([("5", completion) for completion in said])
        mismatch = Reason.MISMATCH
        assert reasons(verdicts) == [
            *(mismatch, mismatch, Reason.MATCHED_EXACTLY, Reason.NO_ANSWER),
            *(Reason.UNREADABLE_ANSWER, mismatch),
        ]
        assert [verdict.answer for verdict in verdicts] == ["6", "6", "5", None, None, "unquick"]
        assert [verdict.seconds > 0 for verdict in verdicts] == [True, False, True, True, True, True]
        assert lines(log).count("6") == 1
        assert supervised.counters == {
            **{"checks": 6, "quick": 2, "cache_hits": 1, "judged": 2},
            **{"timeouts": 0, "crashes": 1, "abstentions": 0, "respawns": 0},
        }
        assert supervised.verify("5", "at last, answer: 6").seconds == 0
        assert supervised.counters["cache_hits"] == 2
    assert lines(log).count("6") == 1


def test_nothing_of_a_completion_is_looked_at_in_the_calling_thread(tmp_path):
    with Supervised(Staged(str(tmp_path / "log")), workers=2, seconds=0.5) as supervised:
        # Extraction that never ends: were it made here, so would this test.
        verdicts = supervised.verify_batch([("5", f"answer: {i}") for i in range(99)] + [("5", "endless")])
    assert verdicts[-1].reason is Reason.TOO_SLOW
    assert reasons(verdicts[:-1]) == [Reason.MISMATCH] * 5 + [Reason.MATCHED_EXACTLY] + [Reason.MISMATCH] * 93


def test_abstentions_are_not_remembered_and_failures_name_the_answer(tmp_path):
    log = tmp_path / "log"
    with Supervised(Staged(str(log)), workers=1, seconds=0.5) as supervised:
        for _ in range(2):
            hung, twin, unread = supervised.verify_batch([("5", "answer: hang")] * 2 + [("5", "answer: abstain")])
            assert reasons([hung, twin, unread]) == [Reason.TOO_SLOW, Reason.TOO_SLOW, Reason.REFERENCE_UNREADABLE]
            assert hung.answer == "hang"
        assert lines(log).count("abstain") == 2
        assert lines(log).count("hang") == 1
        assert supervised.counters["timeouts"] == supervised.counters["respawns"] == 1
        assert supervised.counters["abstentions"] == 2


def test_memory_of_verdicts_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_REMEMBERED", 2)
    log = tmp_path / "log"
    with Supervised(Staged(str(log)), workers=1, seconds=PATIENT) as supervised:
        for answer in "12131" + "32":
            supervised.verify("5", f"answer: {answer}")
        long = "9" * 3000
        for _ in range(2):
            supervised.verify("5", f"answer: {long}")
    assert lines(log) == ["1", "2", "3", "2", long, long]


def test_crashes_are_logged_once(caplog):
    with Supervised(Obedient(), workers=1, seconds=PATIENT) as supervised, caplog.at_level("WARNING"):
        supervised.verify_batch([("", "do:fail 1"), ("", "do:fail 2"), ("", "do:leave")])
        said = supervised.first_failure
    assert "ValueError: no" in said and said in caplog.text
    assert len(caplog.records) == 1


def test_threads_share_the_workers(patient):
    results = {}

    def ask(name):
        results[name] = patient.verify_batch([(str(i), str(i if (i + name) % 3 else "?")) for i in range(50)])

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in range(6):
        assert [verdict.value for verdict in results[name]] == [float(bool((i + name) % 3)) for i in range(50)]


def test_async_code_goes_on_meanwhile(patient):
    async def both():
        ticks = 0
        checks = asyncio.create_task(patient.verify_batch_async([("", "do:sleep 0.5"), ("5", "5")]))
        while not checks.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return ticks, await checks

    ticks, verdicts = asyncio.run(both())
    assert ticks > 3
    assert [verdict.value for verdict in verdicts] == [1.0, 1.0]


def test_closing_ends_the_workers_and_a_later_check_starts_new_ones():
    supervised = Supervised(Obedient(), workers=1, seconds=PATIENT)
    old = pid_of_the_worker(supervised)
    supervised.close()
    supervised.close()
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)
    assert pid_of_the_worker(supervised) != old
    supervised.close()


def test_closing_ends_a_batch_that_runs(tmp_path):
    supervised = Supervised(Obedient(), workers=1, seconds=PATIENT)
    log = tmp_path / "log"

    def close_it():
        until(lambda: lines(log))
        supervised.close()

    closer = threading.Thread(target=close_it)
    closer.start()
    with pytest.raises(RuntimeError, match="was closed"):
        supervised.verify_batch([("", f"do:write {log}"), ("", "do:loop"), ("5", "5")])
    closer.join()
    assert supervised.verify("5", "5").value == 1.0
    supervised.close()


@LINUX
def test_a_dropped_one_ends_its_workers():
    supervised = Supervised(Obedient(), workers=1, seconds=PATIENT)
    pid = pid_of_the_worker(supervised)
    assert alive(pid)
    del supervised
    until(lambda: not alive(pid))


def test_it_travels_without_its_workers(patient):
    for twin in (pickle.loads(pickle.dumps(patient)), copy.deepcopy(patient)):
        with twin:
            assert (twin.workers, twin.seconds, twin.memory_mb) == (2, PATIENT, 512)
            assert twin.counters["checks"] == 0
            assert pid_of_the_worker(twin) != pid_of_the_worker(patient)


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": 1.5},
        {"workers": True},
        {"seconds": 0},
        {"seconds": -1.0},
        {"seconds": math.inf},
        {"seconds": math.nan},
        {"seconds": "1"},
        {"memory_mb": 10},
        {"verifier": "no verifier"},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Supervised(**{"verifier": Obedient(), **wrong})


def test_a_pair_that_is_no_text_is_named(patient):
    with pytest.raises(TypeError, match=r"requests\[1\].*str and NoneType"):
        patient.verify_batch([("5", "5"), ("5", None)])


def test_a_verifier_that_cannot_be_pickled_is_refused():
    verifier = Obedient()
    verifier.sleep = lambda seconds: None
    with pytest.raises(ConfigError, match="Obedient that cannot be pickled"):
        Supervised(verifier).verify("5", "5")


def test_a_verifier_that_does_not_load_is_refused_at_once(tmp_path):
    with (
        Supervised(Unpicklable(str(tmp_path / "log"), "raise"), workers=1) as supervised,
        pytest.raises(ConfigError, match=r"a library is missing.*module of its own"),
    ):
        supervised.verify_batch([("5", "5"), ("6", "6")])
    assert len(lines(tmp_path / "log")) == 1


def test_workers_that_keep_dying_at_the_start_become_an_error(tmp_path):
    with (
        Supervised(Unpicklable(str(tmp_path / "log"), "exit"), workers=1) as supervised,
        pytest.raises(UnscorableError, match=r"3 times in a row.*exit code 7.*last words"),
    ):
        supervised.verify("5", "5")
    assert len(lines(tmp_path / "log")) == 3


def script(tmp_path, body, **options):
    """A main script, begun as a user does it."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(body))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, str(path)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def finished(process):
    """Exit code, stdout and stderr."""
    try:
        said = process.communicate(timeout=2 * PATIENT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its forks too, or they would stay
        raise
    return process.returncode, *said


def test_a_script_needs_no_guard(tmp_path):
    process = script(
        tmp_path,
        """
        from hostile_verifiers import Obedient
        from hero_rl.verifiers.processes.supervised import Supervised

        print("started")
        print(Supervised(Obedient(), workers=2).verify("5", "5").value)
        """,
    )
    assert finished(process) == (0, "started\n1.0\n", "")


def test_a_verifier_of_the_main_script_is_refused(tmp_path):
    process = script(
        tmp_path,
        """
        from hero_rl.errors import ConfigError
        from hero_rl.verifiers.processes.supervised import Supervised

        class Mine:
            def verify(self, reference, completion): ...

        try:
            Supervised(Mine()).verify("5", "5")
        except ConfigError as error:
            print(error)
        """,
    )
    code, said, complained = finished(process)
    assert (code, complained) == (0, "")
    assert "Mine" in said
    assert "put it into a module of its own" in said


BUSY = """
    import sys
    from hostile_verifiers import Obedient
    from hero_rl.verifiers.processes.supervised import Supervised

    supervised = Supervised(Obedient(), workers=2, seconds=60)
    pairs = [("", f"do:pid {i}") for i in range(50)] + [("", "do:sleep 0.1"), ("", "do:sleep 0.11")]
    print(*{verdict.answer for verdict in supervised.verify_batch(pairs)} - {None}, flush=True)
    """


@LINUX
@pytest.mark.parametrize("state", ["idle", "sleep 60", "power"])
def test_a_killed_parent_leaves_no_orphan(tmp_path, state):
    last = (
        "sys.stdin.read()" if state == "idle" else f"supervised.verify_batch([('', 'do:{state}'), ('2', 'do:{state}')])"
    )
    process = script(tmp_path, BUSY + f"{last}\n", stdin=subprocess.PIPE)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert pids
    time.sleep(0.3)
    assert all(alive(pid) for pid in pids)
    process.kill()
    until(lambda: not any(alive(pid) for pid in pids), seconds=2)
    finished(process)


@LINUX
def test_ctrl_c_ends_a_script_at_once_and_without_noise_from_workers(tmp_path):
    process = script(tmp_path, BUSY + "supervised.verify_batch([('', 'do:loop'), ('2', 'do:loop')])\n")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    time.sleep(0.3)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    code, _, complained = finished(process)
    assert code == -signal.SIGINT
    assert time.monotonic() - start < 10
    assert complained.count("Traceback") == 1
    assert complained.strip().endswith("KeyboardInterrupt")
    until(lambda: not any(alive(pid) for pid in pids), seconds=2)


def test_after_ctrl_c_it_is_of_use(tmp_path):
    process = script(
        tmp_path,
        """
        import os, signal, threading, time
        from hostile_verifiers import Obedient
        from hero_rl.verifiers.processes.supervised import Supervised

        supervised = Supervised(Obedient(), workers=1, seconds=2)
        supervised.verify("5", "5")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            supervised.verify_batch([("", "do:loop")] + [(str(i), "do:sleep 1") for i in range(50)])
        except KeyboardInterrupt:
            start = time.monotonic()
            print(supervised.verify("5", "5").value, supervised.counters["checks"], time.monotonic() - start < 20)
        """,
    )
    assert finished(process) == (0, "1.0 2 True\n", "")


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_a_fork_leaves_the_parents_workers_alone(tmp_path, end):
    process = script(
        tmp_path,
        f"""
        import os, sys, warnings
        from hostile_verifiers import Obedient
        from hero_rl.verifiers.processes.supervised import Supervised

        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where there are threads
        supervised = Supervised(Obedient(), workers=1, seconds=30)
        before = supervised.verify("", "do:pid").answer
        child = os.fork()
        if child == 0:
            print(supervised.verify("", "do:pid").answer != before, supervised.counters["checks"], flush=True)
            {end}
        print(os.waitpid(child, 0)[1], flush=True)
        print(supervised.verify("", "do:pid ").answer == before, supervised.counters)
        """,
    )
    code, said, complained = finished(process)
    assert (code, complained) == (0, "")
    child, status, parent = said.splitlines()
    assert (child, status) == ("True 1", "0")
    assert parent.startswith("True")
    assert "'respawns': 0" in parent


def test_workers_start_light():
    heavy = {"torch", "sympy", "numpy", "transformers"}
    code = f"import sys, hero_rl.verifiers.processes.worker; print({heavy!r} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_no_descriptor_or_thread_is_left_behind():
    def used():
        return len(os.listdir("/dev/fd")), threading.active_count()

    before = used()
    for _ in range(2):
        with Supervised(Obedient(), workers=2, seconds=0.3) as supervised:
            supervised.verify_batch([("5", "5"), ("", "do:loop"), ("", "do:leave")])
    # Fewer, if something of an earlier test has ended meanwhile.
    until(lambda: all(now <= then for now, then in zip(used(), before, strict=True)))
