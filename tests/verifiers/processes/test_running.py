from hero_rl.verifiers import (
    Cascade,
    CascadeVerifier,
    ExactVerifier,
    JudgeVerifier,
    MathVerifier,
    MathVerify,
    Processes,
    Supervised,
    in_processes,
)

PROCESSES = Processes(workers=1, seconds=3.0, memory_mb=1024)


def test_rules_that_compute_are_supervised():
    running = in_processes(MathVerifier(order="kept"), PROCESSES)
    assert isinstance(running, Supervised)
    assert running.verifier == MathVerifier(order="kept")
    assert (running.workers, running.seconds, running.memory_mb) == (1, 3.0, 1024)


def test_math_verify_leaves_the_limit_to_the_process():
    running = in_processes(MathVerify(), PROCESSES)
    assert isinstance(running, Supervised)
    assert running.verifier == MathVerify(seconds=None)


def test_the_rest_runs_where_it_is():
    for verifier in (ExactVerifier(), JudgeVerifier(url="http://localhost:1"), Supervised(MathVerifier())):
        assert in_processes(verifier, PROCESSES) is verifier


def test_a_cascades_rule_is_supervised():
    judge = JudgeVerifier(url="http://localhost:1")
    running = in_processes(CascadeVerifier(judge=judge, budget=3), PROCESSES)
    assert isinstance(running, Cascade)
    assert isinstance(running.rule, Supervised)
    assert running.judge is judge
    assert running.budget == 3
