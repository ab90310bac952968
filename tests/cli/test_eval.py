"""`hero eval` as a user meets it: against a real server, with real verifiers, killed and begun again."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml
from misbehaving_server import Server, answers, says, waits

from hero_lab.cli import main
from hero_rl.evaluation.statistics import cohen_kappa, maj_at_k, pass_at_k
from hero_rl.rollouts import read_rollouts

HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
PROBLEMS = [{"id": f"p{n}", "question": f"What is {n} + {n}?", "answer": 2 * n} for n in range(12)]


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return path


class Answering(Server):
    """A model that is right on some questions, by a choice that its seed makes, and a judge that likes even answers."""

    wait = 0.0

    def behaviour(self):
        with self.lock:
            scripted = self.script.pop(0) if self.script else None
        return scripted or waits(self.wait, self._answer)

    @staticmethod
    def _answer(handler, body):
        said = body["messages"][0]["content"]
        if "<candidate>" in said:
            number = int(re.search(r"boxed\{\s*(-?\d+)", said.partition("<candidate>\n")[2])[1])
            return says(f"They compare.\nVerdict: {'correct' if number % 4 == 0 else 'incorrect'}")(handler, body)
        number = int(re.search(r"is (\d+) \+", said)[1])
        right = random.Random(body["seed"]).random() < 0.6
        return says(f"So \\boxed{{{2 * number + (0 if right else random.Random(body['seed']).choice([1, 2, 4]))}}}")(
            handler, body
        )

    @property
    def written(self):
        return [body for _, _, body in self.posts if "<candidate>" not in body["messages"][0]["content"]]

    @property
    def judged(self):
        return len(self.posts) - len(self.written)


@pytest.fixture
def server():
    with Answering() as server:
        server.script = []
        yield server


def evaluate(capsys, *arguments, code=0):
    assert main(["eval", *map(str, arguments), "--json"]) == code
    said = capsys.readouterr()
    return json.loads(said.out) if said.out else said.err


def asking(server, *more):
    return ["--generator.url", server.url, "--sampling.samples", "4", "--verifier_processes.workers", "1", *more]


def kept(folder):
    """Every file of a run but what says when and how it was called."""
    leave = {".lock", "config.yaml", "environment.json"}
    return {
        str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file() and f.name not in leave
    }


def test_a_verifier_of_ones_own_that_fails_is_named_with_what_it_raised(problems, server, tmp_path, capsys):
    words = ["--benchmarks", problems, *asking(server), "--verifier.type", "hostile_verifiers:Broken"]
    said = evaluate(capsys, tmp_path / "run", *words, code=1)
    assert "the verifier failed on 48 of 48 responses" in said
    assert "; the first check that crashed: a check raised in its worker: KeyError: 'answer'" in said


def test_the_numbers_are_those_of_the_rollouts(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    found = evaluate(capsys, out, "--benchmarks", problems, *asking(server), "--seeds", "[3, 5]", "--step", "40")
    rollouts = list(read_rollouts(out / "rollouts" / "sums.jsonl"))
    assert [r.id for r in rollouts] == [f"p{n}/{s}/{k}" for n in range(12) for s in (3, 5) for k in range(4)]
    assert all(r.verdict == float(f"{{{2 * int(r.group[1:])}}}" in r.completion) for r in rollouts)
    assert {r.step for r in rollouts} == {40} and rollouts[5].extra["seed"] == 5 and rollouts[5].extra["sample"] == 1
    samples = [[r.verdict for r in rollouts if r.group == f"p{n}"] for n in range(12)]
    answers = [[r.extra["answer"] for r in rollouts if r.group == f"p{n}"] for n in range(12)]
    numbers = found["benchmarks"]["sums"]
    assert numbers["pass@1"]["value"] == pytest.approx(sum(map(sum, samples)) / 96)
    assert numbers["pass@1"]["low"] < numbers["pass@1"]["value"] < numbers["pass@1"]["high"]
    assert list(numbers["pass@k"]) == ["1", "2", "4", "8"]
    assert numbers["pass@k"]["4"]["value"] == pytest.approx(pass_at_k(samples, 4).mean())
    assert numbers["maj@k"]["k"] == 4
    assert numbers["maj@k"]["value"] == pytest.approx(maj_at_k(samples, answers, 4).mean())
    assert (numbers["kind"], numbers["graded_by"], numbers["counts"]) == ("easy", "verifier", "verifier")
    assert (numbers["problems"], numbers["samples"], numbers["seeds"]) == (12, 8, [3, 5])
    assert (numbers["unscored"], numbers["cut_off"], numbers["mean_tokens"]) == (0, 0, 3.0)
    assert numbers["agreement"] is None and numbers["judge"] is None
    assert "12 problems" in numbers["averaged"] and "(4 with each of 2 seeds, 3, 5)" in numbers["averaged"]
    assert (found["format"], found["name"], found["model"], found["step"]) == (1, "run", "the-judge", 40)
    assert json.loads((out / "result.json").read_text()) == found
    rows = [json.loads(line) for line in (out / "problems" / "sums.jsonl").read_text().splitlines()]
    assert [row["samples"] for row in rows] == samples and [row["id"] for row in rows] == [p["id"] for p in PROBLEMS]
    assert rows[0]["judge"] is None and set(rows[0]["answers"]) <= {"right", "=1", "=2", "=4"}
    assert yaml.safe_load((out / "config.yaml").read_text())["generator"]["model"] == "the-judge"
    assert json.loads((out / "environment.json").read_text())["versions"]["torch"]


def test_another_call_writes_nothing_again(problems, server, tmp_path, capsys):
    out, command = tmp_path / "run", ["--benchmarks", problems, *asking(server)]
    first = evaluate(capsys, out, *command)
    before, asked = kept(out), len(server.posts)
    assert evaluate(capsys, out, *command) == first and evaluate(capsys, out) == first
    assert len(server.posts) == asked == 48 and kept(out) == before


def test_more_samples_seeds_and_benchmarks_add_what_is_missing(problems, server, tmp_path, capsys):
    out, command = tmp_path / "run", ["--benchmarks", problems, *asking(server)]
    evaluate(capsys, out, *command, "--sampling.samples", "2")
    evaluate(capsys, out, *command, "--seeds", "[0,1]")
    assert len(server.posts) == 96
    other = tmp_path / "other.jsonl"
    other.write_text(problems.read_text())
    found = evaluate(capsys, out, "--benchmarks", other, "--seeds", "[0]")
    assert set(found["benchmarks"]) == {"sums", "other"} and len(server.posts) == 96 + 48
    assert found["benchmarks"]["sums"]["pass@1"] == found["benchmarks"]["other"]["pass@1"]
    assert len((out / "rollouts" / "sums.jsonl").read_text().splitlines()) == 96  # those of the other seed stay
    seeds = {(body["messages"][0]["content"], body["seed"]) for body in server.written}
    assert len(seeds) == 96


def test_a_question_that_has_changed_is_refused_before_anything_is_written(problems, server, tmp_path, capsys):
    out, command = tmp_path / "run", ["--benchmarks", problems, *asking(server, "--sampling.samples", "1")]
    evaluate(capsys, out, *command)
    before = kept(out)
    said = evaluate(capsys, out, "--sampling.samples", "2", "--instruction", "Think.", code=2)
    assert "another prompt" in said and len(server.posts) == 12 and kept(out) == before
    found = evaluate(capsys, out, "--sampling.samples", "2", "--instruction", "null")
    assert found["benchmarks"]["sums"]["samples"] == 2 and len(server.posts) == 24


def test_the_models_that_judged_are_said(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    evaluate(
        capsys, out, "--benchmarks", problems, *asking(server, "--sampling.samples", "1", "--generator.model", "m")
    )
    judge = ["--graded_by", "judge", "--judge.url", server.url]
    found = evaluate(capsys, out, *judge, "--benchmarks.sums.limit", "4")["benchmarks"]["sums"]
    assert found["judge"]["models"] == ["the-judge"] and found["grader"].startswith("judge-")
    server.models = ["another"]
    assert main(["eval", str(out), *judge, "--benchmarks.sums.limit", "null"]) == 0
    assert "judge the-judge, another: 12 calls" in capsys.readouterr().out
    verified = evaluate(capsys, out, "--graded_by", "verifier")["benchmarks"]["sums"]
    assert verified["judge"] is None and verified["grader"].startswith("verifier-")


def test_a_judge_that_never_says_a_verdict_is_no_success(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["--benchmarks", problems, *asking(server, "--sampling.samples", "1", "--judge.url", server.url)]
    evaluate(capsys, out, *command)
    server.script = [says("Hard to say.")] * 50
    assert main(["eval", str(out), "--graded_by", "judge"]) == 1
    said = capsys.readouterr()
    assert "12 of 12 responses are missing or could not be graded" in said.err and "judge unreadable" in said.err
    assert json.loads((out / "result.json").read_text())["benchmarks"]["sums"]["pass@1"]["value"] is None
    asked = len(server.posts)
    assert main(["eval", str(out), "--graded_by", "judge", "--max_missing", "1"]) == 1
    assert "none of 12 responses has a verdict" in capsys.readouterr().err
    assert len(server.posts) == asked  # its replies are kept, as it would give the same again


def test_nothing_that_a_verifier_can_read_is_no_success(problems, server, tmp_path, capsys):
    problems.write_text('{"id": "p", "question": "What is 1 + 1?", "answer": "\\\\oint 4 \\\\star\\\\star"}\n')
    assert main(["eval", str(tmp_path / "run"), "--benchmarks", str(problems), *asking(server)]) == 1
    assert "sums: none of 4 responses has a verdict (reference unreadable 4)" in capsys.readouterr().err


def test_judge_and_both(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    first = evaluate(capsys, out, "--benchmarks", problems, *asking(server))["benchmarks"]["sums"]
    both = evaluate(capsys, out, "--rescore", "--graded_by", "both", "--judge.url", server.url)["benchmarks"]["sums"]
    assert len(server.written) == 48
    assert both["pass@1"] == first["pass@1"] == both["agreement"]["pass@1"]["verifier"]
    rows = [json.loads(line) for line in (out / "problems" / "sums.jsonl").read_text().splitlines()]
    assert [row["verifier"] for row in rows] == [row["samples"] for row in rows]
    expected = cohen_kappa([row["verifier"] for row in rows], [row["judge"] for row in rows])
    assert both["agreement"]["kappa"]["value"] == expected.kappa.value
    assert both["agreement"]["only_judge"] == expected.only_second
    assert both["judge"]["calls"] == server.judged and both["judge"]["prompt_tokens"] == 7 * server.judged
    assert both["judge"]["completion_tokens"] == 3 * server.judged
    calls = server.judged
    judged = evaluate(capsys, out, "--graded_by", "judge")["benchmarks"]["sums"]
    assert server.judged == calls and judged["judge"] == both["judge"]
    assert judged["pass@1"] == both["agreement"]["pass@1"]["judge"] and judged["counts"] == "judge"
    rollouts = list(read_rollouts(out / "rollouts" / "sums.jsonl"))
    assert [r.verdict for r in rollouts] == [float(int(r.extra["answer"]) % 4 == 0) for r in rollouts]
    hard = evaluate(capsys, out, "--graded_by", "both", "--benchmarks.sums.kind", "hard")["benchmarks"]["sums"]
    assert (hard["kind"], hard["counts"], hard["graded_by"]) == ("hard", "judge", "both")
    assert hard["pass@1"] == judged["pass@1"] and server.judged == calls and len(server.written) == 48


def test_another_verifier_grades_anew_for_free(problems, server, tmp_path, capsys):
    out, command = tmp_path / "run", ["--benchmarks", problems, *asking(server)]
    evaluate(capsys, out, *command)
    exact = evaluate(capsys, out, "--verifier.type", "exact", "--verifier.marker", "So")
    assert len(server.posts) == 48
    assert exact["benchmarks"]["sums"]["pass@1"]["value"] == 0
    assert len(list((out / "grades" / "sums").iterdir())) == 2


def test_a_reference_that_cannot_be_read_leaves_its_problem_out(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    problems.write_text(problems.read_text().replace('"answer": 4}', '"answer": "\\\\oint 4 \\\\star\\\\star"}'))
    server.script = [says(f"\\boxed{{{answer}}}") for answer in ["\\oint 4 \\star\\star"] * 3 + ["4"]]
    few = ["--generator.concurrency", "1", "--benchmarks.sums.limit", "4"]
    problems.write_text("".join(sorted(problems.read_text().splitlines(True), key=lambda line: "oint" not in line)))
    numbers = evaluate(capsys, out, "--benchmarks", problems, *asking(server), *few)["benchmarks"]["sums"]
    rows = [json.loads(line) for line in (out / "problems" / "sums.jsonl").read_text().splitlines()]
    assert rows[0]["id"] == "p2" and rows[0]["samples"] == [None] * 4
    assert numbers["unscored_reasons"] == {"reference_unreadable": 4} and numbers["failed"] == 0
    assert numbers["left_out"] == 1 and "so that 1 of 4 problems are left out" in numbers["averaged"]
    assert "mean over 3 problems" in numbers["averaged"] and "with k verdicts" in numbers["averaged"]
    assert numbers["pass@1"]["value"] == pytest.approx(sum(sum(row["samples"]) for row in rows[1:]) / 12)


def test_a_changed_reference_is_graded_anew(problems, server, tmp_path, capsys):
    out, command = tmp_path / "run", ["--benchmarks", problems, *asking(server)]
    evaluate(capsys, out, *command)
    problems.write_text(problems.read_text().replace('"answer": 0', '"answer": 99'))
    evaluate(capsys, out, *command)
    assert len(server.posts) == 48
    assert [r.verdict for r in read_rollouts(out / "rollouts" / "sums.jsonl")][:4] == [0.0] * 4
    problems.write_text(problems.read_text().replace("What is 1 +", "Now what is 1 +"))
    assert "another prompt" in evaluate(capsys, out, *command, code=2)
    assert len(evaluate(capsys, out, *command, "--restart")["benchmarks"]) == 1 and len(server.posts) == 96


def killed_after(server, count, command, how):
    process = subprocess.Popen(
        [*HERO, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    until = time.monotonic() + 60
    while len(server.posts) < count and time.monotonic() < until:
        time.sleep(0.005)
    assert len(server.posts) >= count, "too slow"
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_a_killed_run_goes_on_and_ends_in_the_same_files(problems, server, tmp_path, capsys):
    judge = ["--graded_by", "both", "--judge.url", server.url, "--judge.model", "j", "--judge.concurrency", "1"]
    command = ["--benchmarks", problems, *asking(server, "--generator.concurrency", "2", *judge), "--name", "x"]
    whole = evaluate(capsys, tmp_path / "whole", *command)
    wrote, judged = len(server.written), server.judged
    server.posts.clear()
    out, server.wait = tmp_path / "killed", 0.02
    before = 0
    for count in (9, 25, wrote + judged // 2):
        code, _ = killed_after(server, count, ["eval", out, *command], signal.SIGKILL)
        assert code == -signal.SIGKILL and not (out / "result.json").exists()
        partial = out / "rollouts" / "sums.jsonl.partial"
        lines = partial.read_bytes().count(b"\n") if partial.exists() else 0
        assert lines >= before
        before = lines
        if count == 25:  # as if the kill had come within a line
            with partial.open("ab") as file:
                file.write(b'{"id": "p11/0/3", "prompt": "Wh')
    server.wait = 0.0
    again = evaluate(capsys, out, *command)
    assert again == whole | {"name": "x"}
    assert kept(out) == kept(tmp_path / "whole")
    # What was under way at a kill is asked for again, and nothing else: two requests of each of two kills.
    assert wrote <= len(server.written) <= wrote + 4


def test_an_interrupt_says_how_to_go_on(problems, server, tmp_path):
    server.wait = 0.05
    out = tmp_path / "run"
    command = ["eval", out, "--benchmarks", problems, *asking(server, "--generator.concurrency", "1")]
    code, said = killed_after(server, 5, command, signal.SIGINT)
    assert code == 130 and "interrupted; go on with: hero eval" in said and "Traceback" not in said
    assert (out / "rollouts" / "sums.jsonl.partial").read_bytes().count(b"\n") >= 3


def test_a_dead_server_and_a_dead_judge(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["--benchmarks", problems, *asking(server, "--generator.concurrency", "2", "--generator.retries", "0")]
    server.script = [server._answer] * 10 + [answers(503, "going down")] * 30
    said = evaluate(capsys, out, *command, code=1)
    assert "is gone" in said and "10 of 48 responses to sums are kept; give the same command again" in said
    assert not (out / "result.json").exists()
    server.script.clear()
    judge = ["--graded_by", "judge", "--judge.url", server.url, "--judge.model", "j", "--judge.retries", "0"]
    calls = len(server.written)
    server.script = [server._answer] * 38 + [answers(500, "no")] * 500
    said = evaluate(capsys, out, *command, *judge, code=1)
    assert (
        "the judge failed on 48 of 48 responses" in said
        and "judge unreachable 48" in said
        and len(server.written) == calls + 38
    )
    server.script.clear()
    found = evaluate(capsys, out, *command, *judge)["benchmarks"]["sums"]
    assert found["unscored"] == 0 and found["judge"]["calls"] >= 12 and len(server.written) == calls + 38


def test_responses_that_a_server_refuses_are_missing_and_never_wrong(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["--benchmarks", problems, *asking(server, "--generator.concurrency", "1")]
    server.script = [server._answer, answers(400, "too long")] * 3
    assert main(["eval", str(out), *map(str, command)]) == 1
    said = capsys.readouterr()
    assert "3 of 48 responses are missing or could not be graded" in said.err and "no response 3" in said.err
    assert "pass@1" in said.out and "3 of 48 responses without a verdict are in no share" in " ".join(said.out.split())
    numbers = json.loads((out / "result.json").read_text())["benchmarks"]["sums"]
    assert (numbers["failed"], numbers["unscored_reasons"]) == (3, {"no_response": 3})
    row = json.loads((out / "problems" / "sums.jsonl").read_text().splitlines()[0])
    assert row["samples"].count(None) == 2 and row["answers"].count(None) == 2
    assert evaluate(capsys, out, *command, "--rescore", "--max_missing", "0.1")["benchmarks"]["sums"]["failed"] == 3
    assert len(server.posts) == 48
    assert evaluate(capsys, out, *command)["benchmarks"]["sums"]["failed"] == 0 and len(server.posts) == 51


def test_the_table_keeps_its_numbers_at_80_columns(problems, server, tmp_path, capsys, monkeypatch):
    names = ["textbookreasoning", "a_rather_long_name_of_somebodys_own"]
    command = [f"--benchmarks.{name}.{what}" for name in names for what in ("dataset", "graded_by")]
    command = [part for name in command for part in (name, problems if name.endswith("dataset") else "verifier")]
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["eval", str(tmp_path / "run"), *map(str, [*command, *asking(server)])]) == 0
    shown = capsys.readouterr().out.partition("\n\n")[0]
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    for numbers in json.loads((tmp_path / "run" / "result.json").read_text())["benchmarks"].values():
        value, low, high = (100 * numbers["pass@1"][name] for name in ("value", "low", "high"))
        votes = 100 * numbers["maj@k"]["value"]
        assert re.search(rf"{value:.1f} +{low:.1f} to {high:.1f} .*{votes:.1f} +0", shown)


def test_a_model_in_this_process(problems, tmp_path, capsys):
    from tiny_models import write

    policy = write(tmp_path)[0]
    command = ["--benchmarks", problems, "--generator.path", policy, "--sampling.max_tokens", "6"]
    command += ["--sampling.samples", "2", "--verifier_processes.workers", "1", "--instruction", "Be short."]
    found = evaluate(capsys, tmp_path / "run", *command)
    assert found["model"] == str(policy) and found["benchmarks"]["sums"]["problems"] == 12
    rollouts = list(read_rollouts(tmp_path / "run" / "rollouts" / "sums.jsonl"))
    assert len(rollouts) == 24 and rollouts[0].prompt == "What is 0 + 0?\nBe short."
    again = evaluate(capsys, tmp_path / "again", *command, "--generator.batch_size", "3")
    assert again == found | {"name": "again"}
    weights = policy / "model.safetensors"
    os.utime(weights, ns=(1, 1))  # as if the model had been trained on
    assert main(["eval", str(tmp_path / "run"), *map(str, command)]) == 2
    assert "the files of generator.path have changed" in capsys.readouterr().err
    assert evaluate(capsys, tmp_path / "run", *command, "--rescore") == found
    policy.rename(tmp_path / "gone")
    assert evaluate(capsys, tmp_path / "run", *command) == found


def test_wrong_arguments(problems, server, tmp_path, capsys):
    def said(*arguments, out="run"):
        assert main(["eval", str(tmp_path / out), *map(str, arguments)]) == 2
        return capsys.readouterr().err

    generator = ["--generator.url", server.url]
    assert "--benchmarks: name one at least" in said()
    assert "benchmarks.hardverify-math is graded by a judge: give judge.url" in said("--benchmarks", "hardverify-math")
    assert "a preset (openmathreasoning, math500" in said("--benchmarks", "=x")
    assert "no such file" in said("--benchmarks", "none.jsonl", *generator)
    assert "sampling.temprature: unknown setting; did you mean 'temperature'" in said(
        "--benchmarks", problems, *generator, "--sampling.temprature", "1"
    )
    assert "seeds: one is there twice" in said("--benchmarks", problems, *generator, "--seeds", "[1, 1]")
    other = tmp_path / "other" / problems.name
    other.parent.mkdir()
    other.write_text(problems.read_text())
    assert "another of that name; give this one its own" in said("--benchmarks", problems, other, *generator)
    assert "give generator.type, or --rescore" in said("--benchmarks", problems, out="empty")
    assert "no responses to grade" in said("--benchmarks", problems, "--rescore", out="empty")
    assert "give one of them" in said("--benchmarks", problems, "--rescore", "--restart")
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "question": "q", "answer": "1"}\n{"id": 1, "question": "r"}\n')
    assert "benchmarks.bad: " in (bad := said("--benchmarks", tmp_path / "bad.jsonl", *generator)) and ":2:" in bad
    evaluate(capsys, tmp_path / "run", "--benchmarks", problems, *asking(server))
    other = said("--generator.model", "another")
    assert "generator.model was 'the-judge' and is 'another'" in other and "--restart" in other
    assert "sampling.top_p was 0.95 and is 0.5" in said("--sampling.top_p", "0.5")
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "config.yaml").write_text("output_dir: x\nmodel: {path: y}\n")
    assert "holds no evaluation" in said("--benchmarks", problems, out="trained")


@pytest.mark.parametrize(
    ("block", "setting", "value", "word"),
    [
        ("generator", "trust_remote_code", True, "--generator.trust_remote_code true"),
        ("judge", "api_key_env", "SECRET", "--judge.api_key_env SECRET"),
    ],
)
def test_a_folder_is_not_trusted_with_code_or_keys(problems, tmp_path, capsys, block, setting, value, word):
    """A folder may be a stranger's: its settings neither run code nor send a key without the caller's word."""
    out = tmp_path / "out"
    out.mkdir()
    blocks = {"generator": {"type": "transformers", "path": "model"}, "judge": {"url": "http://localhost:1"}}
    blocks[block][setting] = value
    (out / "config.yaml").write_text(yaml.safe_dump({"benchmarks": {"sums": {"dataset": str(problems)}}, **blocks}))
    assert main(["eval", str(out)]) == 2
    assert word in capsys.readouterr().err


def test_a_folder_is_not_trusted_with_walls_nor_beside_a_file_of_the_caller_s(problems, tmp_path, capsys):
    out, mine = tmp_path / "out", tmp_path / "mine.yaml"
    out.mkdir()
    benchmarks = {"benchmarks": {"sums": {"dataset": str(problems)}}}
    code = {"type": "code", "sandbox": {"type": "local", "walls": []}}
    (out / "config.yaml").write_text(yaml.safe_dump({**benchmarks, "verifier": code}))
    assert main(["eval", str(out), "--rescore"]) == 2
    assert "verifier.sandbox.walls" in capsys.readouterr().err
    hostile = {"type": "transformers", "path": "model", "trust_remote_code": True}
    (out / "config.yaml").write_text(yaml.safe_dump({**benchmarks, "generator": hostile}))
    mine.write_text(yaml.safe_dump(benchmarks))
    assert main(["eval", str(out), "--config", str(mine)]) == 2
    assert "generator.trust_remote_code" in capsys.readouterr().err


def test_two_processes_do_not_share_a_folder(problems, server, tmp_path, capsys):
    from hero_rl.evaluation import RunFolder

    with RunFolder(tmp_path / "run"):
        assert main(["eval", str(tmp_path / "run"), "--benchmarks", str(problems), *asking(server)]) == 2
    assert "another process is writing there" in capsys.readouterr().err


def test_a_full_disk_loses_nothing(problems, server, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["eval", out, "--benchmarks", problems, *asking(server, "--generator.concurrency", "1")]
    small = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)); import signal; "
    small += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from hero_lab.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", small, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 1 and "File too large" in done.stderr and "Traceback" not in done.stderr
    assert not (out / "result.json").exists()
    lines = (out / "rollouts" / "sums.jsonl.partial").read_bytes().split(b"\n")[:-1]
    assert len(lines) > 5 and all(json.loads(line)["completion"] for line in lines)
    calls = len(server.posts)
    assert evaluate(capsys, *command[1:])["benchmarks"]["sums"]["failed"] == 0
    assert len(server.posts) - calls == 48 - len(lines)
