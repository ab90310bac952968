"""The regimes from end to end: what is written, what is refused, and that a kill changes no byte."""

import json
import random
import re
import resource
import signal
import subprocess
import time

import pyarrow.parquet
import pytest
from making import HERO, IN_SMALL_STEPS, ONE, hashed, jsonl, lines
from misbehaving_server import answers, says, waits

from hero_lab.cli import main
from hero_rl.data import RegimesConfig, TextbookConfig, make_regimes
from hero_rl.errors import ConfigError, DataError, GenerationError, UnscorableError
from hero_rl.files.partial import Partial
from hero_rl.own import own_code
from hero_rl.rollouts import Rollout, read_rollouts, write_rollouts
from hero_rl.training.configs.policy import DataConfig
from hero_rl.training.rows.prompts import load_prompts

SIZES = {"easy": 20, "hard": 10, "mixed": 5, "validation": 4}


@pytest.fixture
def sums(tmp_path):
    """Sixty sums; one in three is solved wrong, one has a reference that nobody can read, one no solution."""
    problems = [{"id": f"s{n}", "prompt": f"What is {n} + {n + 1}?", "answer": 2 * n + 1} for n in range(60)]
    problems[3]["answer"] = r"\frac{"
    solutions = [
        Rollout(row["prompt"], f"It is \\boxed{{{2 * n + 1 if n % 3 else n}}}.", group=row["id"], reference="none")
        for n, row in enumerate(problems)
        if n != 7
    ]
    write_rollouts(tmp_path / "solutions.jsonl", solutions)
    return {
        "problems": jsonl(tmp_path / "problems.jsonl", problems),
        "solutions": str(tmp_path / "solutions.jsonl"),
        "sizes": SIZES,
        "verifier_processes": ONE,
    }


def test_regimes(sums, tmp_path):
    made = make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), **sums))
    counts = made.account["counts"]
    assert (counts["easy to verify"], counts["hard to verify"]) == (39, 19)
    assert (counts["left out: the verifier abstained"], counts["left out: no solution"]) == (1, 1)
    left_out = lines(made.folder / "left_out.jsonl")
    assert left_out[0]["prompt"] == "What is 3 + 4?" and left_out[0]["answer"] == r"\frac{"
    assert {row["id"]: row["why"] for row in left_out} == {
        "s3": "abstained",
        "s7": "unsolved",
    }
    trained = lines(made.folder / "trl" / "easy_train.jsonl")
    assert len(trained) == 20 and all(int(row["id"][1:]) % 3 for row in trained)
    assert trained[0].keys() == {"prompt", "answer", "id", "source", "verifiability"}
    mixed = lines(made.folder / "trl" / "mixed_train.jsonl")
    assert [row["verifiability"] for row in mixed] == ["easy", "hard"] * 5
    verified = list(read_rollouts(made.folder / "verified.jsonl"))
    assert [row.verdict for row in verified[:4]] == [0.0, 1.0, 1.0, None]
    assert verified[1].reference == "3", "the problem's own, not the file's"
    card = (made.folder / "card.md").read_text()
    assert "**Compared with no benchmark; --benchmarks math500 amc ... does.**" in card and "matched_exactly" in card
    files = json.loads((made.folder / "card.json").read_text())["files"]
    assert files["verl/hard_train.parquet"]["bytes"] == (made.folder / "verl" / "hard_train.parquet").stat().st_size


def test_what_is_written_is_what_the_trainers_read(sums, tmp_path):
    made = make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), **sums))
    ours = load_prompts(DataConfig(train=str(made.folder / "trl" / "hard_train.jsonl")), "train").to_list()
    rows = lines(made.folder / "trl" / "hard_train.jsonl")
    assert ours[0] == {"prompt": [{"role": "user", "content": rows[0]["prompt"]}], "answer": str(rows[0]["answer"])}
    table = pyarrow.parquet.read_table(made.folder / "verl" / "hard_train.parquet")
    assert table.column_names == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert table.to_pylist()[1] == {
        "data_source": "problems",
        "prompt": [{"role": "user", "content": rows[1]["prompt"]}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": rows[1]["answer"]},
        "extra_info": {"split": "train", "index": 1, "id": rows[1]["id"], "verifiability": "hard"},
    }


def test_the_order_of_rows_changes_nothing_that_is_drawn(sums, tmp_path):
    made = make_regimes(RegimesConfig(output_dir=str(tmp_path / "a"), **sums))
    for name in ("problems.jsonl", "solutions.jsonl"):
        rows = (tmp_path / name).read_text().splitlines(keepends=True)
        random.Random(1).shuffle(rows)
        (tmp_path / name).write_text("".join(rows))
    again = make_regimes(RegimesConfig(output_dir=str(tmp_path / "b"), **sums))
    other = make_regimes(RegimesConfig(output_dir=str(tmp_path / "c"), seed=1, **sums))
    drawn = [
        {name: (m.folder / name).read_bytes() for name in m.account["files"] if "/" in name} for m in (made, again)
    ]
    assert drawn[0] == drawn[1]
    assert (other.folder / "trl/easy_train.jsonl").read_bytes() != drawn[0]["trl/easy_train.jsonl"]


def test_overlaps_are_left_out_and_listed(sums, tmp_path):
    long = "A train of so many cars leaves the town at noon and drives at so many miles an hour. How far is it at one?"
    rows = [{"id": f"x{n}", "prompt": text, "answer": 1} for n, text in enumerate([long, long.replace("noon", "ten")])]
    rows += [{"id": "twin", "prompt": " What is 10 + 11 ?", "answer": 21}]
    jsonl(tmp_path / "problems.jsonl", lines(tmp_path / "problems.jsonl") + rows)
    bench = jsonl(
        tmp_path / "bench.jsonl", [{"prompt": long.upper(), "answer": 2}, {"prompt": "What is 1 + 2?", "answer": 3}]
    )
    made = make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), benchmarks=bench, **sums))
    left_out = {
        row["id"]: (row["why"], row.get("with", "").split(" ")[0]) for row in lines(made.folder / "left_out.jsonl")
    }
    assert left_out["x0"] == left_out["x1"] == left_out["s1"] == ("overlap", "bench")
    assert left_out["twin"] == ("repeated", "s10")
    kinds = {row["problem"]: (row["kind"], row["left_out"]) for row in lines(made.folder / "overlaps.jsonl")}
    assert kinds == {"s1": ("exact", True), "x0": ("exact", True), "x1": ("ngram", True)}
    lenient = make_regimes(RegimesConfig(output_dir=str(tmp_path / "b"), benchmarks=bench, ngram_share=0.9, **sums))
    kinds = {row["problem"]: row["left_out"] for row in lines(lenient.folder / "overlaps.jsonl")}
    assert kinds == {"s1": True, "x0": True, "x1": False}
    assert made.account["benchmarks"] == {"bench": {"problems": 2, "from": bench}} and made.account["notes"] == []
    (tmp_path / "other").mkdir()
    twice = [bench, jsonl(tmp_path / "other" / "bench.jsonl", [{"prompt": "What is 3 + 4?", "answer": 7}])]
    with pytest.raises(ConfigError, match="benchmarks: two are called 'bench'"):
        make_regimes(RegimesConfig(output_dir=str(tmp_path / "c"), benchmarks=twice, **sums))


def test_another_file_of_solutions_or_another_verifier_is_refused(sums, tmp_path):
    settings = {"output_dir": str(tmp_path / "out"), **sums}
    make_regimes(RegimesConfig(**settings))
    resized = make_regimes(RegimesConfig(**settings | {"sizes": SIZES | {"hard": 5}}))
    assert resized.kept == ["verified.jsonl"] and resized.account["drawn"]["hard_train"] == 5
    with pytest.raises(ConfigError, match=r"verified.jsonl is there, and was made with another verifier; give"):
        make_regimes(RegimesConfig(**settings, verifier={"type": "exact"}))
    assert "type: math" in (tmp_path / "out" / "config.yaml").read_text(), "a refused call changes nothing"
    none = {"easy": 0, "hard": 10, "mixed": 0, "validation": 0}
    anew = make_regimes(RegimesConfig(**settings | {"sizes": none}, verifier={"type": "exact"}), restart=True)
    assert anew.kept == [] and anew.account["counts"]["easy to verify"] == 0


def test_solutions_of_other_problems(sums, tmp_path):
    write_rollouts(tmp_path / "solutions.jsonl", [Rollout("another", "2", reference="2")])
    with pytest.raises(DataError, match=r"no solution is of one of the 60 problems; they are matched by"):
        make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), **sums))


def test_a_bad_row_is_named_before_any_work(sums, tmp_path):
    with (tmp_path / "solutions.jsonl").open("a") as file:
        file.write('{"prompt": "p"}\n')
    with pytest.raises(DataError, match=r"solutions.jsonl:60: no column"):
        make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), **sums))
    assert not (tmp_path / "out").exists()


def test_solutions_are_matched_by_id_sample_and_text(sums, tmp_path):
    problems = lines(tmp_path / "problems.jsonl")
    ways = [
        lambda row, text: Rollout("logged otherwise", text, extra={"problem_id": row["id"]}),
        lambda row, text: Rollout(f"<user> {row['prompt']} Think first.", text, id=row["id"]),
        lambda row, text: Rollout(f"<user> {row['prompt']} Think first.", text, id=f"{row['id']}/0"),
        lambda row, text: Rollout([{"role": "user", "content": f" {row['prompt']}\n"}], text),
        lambda row, text: Rollout(row["prompt"], text, group="s0", id="s1/0"),  # the text has the last word
    ]
    rows = [ways[n % 5](row, f"\\boxed{{{2 * n + 1 if n % 3 else n}}}") for n, row in enumerate(problems)]
    write_rollouts(tmp_path / "solutions.jsonl", rows)
    counts = make_regimes(RegimesConfig(output_dir=str(tmp_path / "out"), **sums)).account["counts"]
    assert (counts["easy to verify"], counts["hard to verify"], counts["left out: no solution"]) == (40, 19, 0)


def test_a_name_that_is_there_by_chance_matches_nothing(sums, tmp_path):
    strangers = [Rollout("Name a prime.", "\\boxed{1}", group=f"s{n}", id=f"s{n}/1") for n in range(9)]
    write_rollouts(tmp_path / "more.jsonl", [*strangers, *read_rollouts(sums["solutions"])])
    made = make_regimes(
        RegimesConfig(output_dir=str(tmp_path / "out"), **sums | {"solutions": str(tmp_path / "more.jsonl")})
    )
    assert (made.account["counts"]["easy to verify"], made.account["counts"]["hard to verify"]) == (39, 19)
    assert made.account["counts"]["solutions read"] == 68
    assert made.account["counts"]["solutions of none of these problems"] == 9


def test_every_place_of_a_kill_ends_in_the_same_bytes(sums, tmp_path, monkeypatch):
    monkeypatch.setattr("hero_rl.data.verifying.AT_A_TIME", 7)
    # A verifier that needs no processes, which take a second to start; to it nothing is right.
    rule = {"verifier": {"type": "exact"}, "sizes": {"easy": 0, "hard": 10, "mixed": 0, "validation": 0}}
    config = RegimesConfig(output_dir=str(tmp_path / "out"), **sums | rule)
    make_regimes(config)
    whole = hashed(tmp_path / "out")
    partial = tmp_path / "out" / "verified.jsonl.partial"
    (tmp_path / "out" / "verified.jsonl").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Partial, "rows", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make_regimes(config)
    everything = partial.read_bytes()
    for cut in [*range(0, len(everything), 3001), len(everything)]:
        (tmp_path / "out" / "verified.jsonl").unlink(missing_ok=True)
        partial.write_bytes(everything[:cut])
        make_regimes(config)
        assert hashed(tmp_path / "out") == whole, f"cut at {cut}"


@pytest.mark.slow
def test_kill_9_and_ctrl_c_and_the_same_bytes_in_the_end(tmp_path, capsys):
    problems = [{"id": f"s{n}", "prompt": f"What is {n}!", "answer": f"{n}^{{{n % 50}}}"} for n in range(1000)]
    solutions = [Rollout(p["prompt"], f"\\boxed{{{n * n}}}", group=p["id"]) for n, p in enumerate(problems)]
    write_rollouts(tmp_path / "solutions.jsonl", solutions)
    jsonl(tmp_path / "problems.jsonl", problems)

    def arguments(out):
        places = ["--problems", str(tmp_path / "problems.jsonl"), "--solutions", str(tmp_path / "solutions.jsonl")]
        sizes = ["--sizes", "{easy: 1, hard: 10, mixed: 1, validation: 0}", "--verifier_processes.workers", "1"]
        return ["data", "regimes", *places, *sizes, "--output_dir", str(tmp_path / out)]

    partial = tmp_path / "out" / "verified.jsonl.partial"
    for stop, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = partial.read_bytes().count(b'#{"batch"') if partial.exists() else 0
        process = subprocess.Popen([*IN_SMALL_STEPS, *arguments("out")], stderr=subprocess.PIPE, text=True)
        while not partial.exists() or partial.read_bytes().count(b'#{"batch"') < before + 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(stop)
        errors = process.communicate()[1]
        assert process.returncode == code, errors
        assert not (tmp_path / "out" / "card.md").exists()
    assert "interrupted; go on with: hero data regimes --problems" in errors
    assert main(arguments("out")) == main(arguments("straight")) == 0
    assert "hard to verify" in capsys.readouterr().out
    assert {**hashed(tmp_path / "out"), ".verified.jsonl.made_of": b""} == {
        **hashed(tmp_path / "straight"),
        ".verified.jsonl.made_of": b"",
    }
    assert not partial.exists()


def test_a_verifier_that_fails_ends_the_call_and_loses_nothing(sums, tmp_path):
    config = RegimesConfig(
        output_dir=str(tmp_path / "out"), **sums | {"verifier": {"type": "judge", "url": "http://127.0.0.1:9",
        "model": "m", "retries": 0, "seconds": 0.5}}
    )  # fmt: skip
    with pytest.raises(UnscorableError, match=r"failed on 5\d of 59 solutions \(judge unreachable 5"):
        make_regimes(config)
    assert not (tmp_path / "out" / "verified.jsonl").exists()


def test_a_verifier_of_ones_own_that_fails_is_named_with_what_it_raised(sums, tmp_path):
    with own_code():
        config = RegimesConfig(output_dir=str(tmp_path), **sums | {"verifier": {"type": "hostile_verifiers:Broken"}})
    with pytest.raises(UnscorableError, match=r"\(crashed 59\).*the first check that crashed: .*KeyError: 'answer'"):
        make_regimes(config)


def test_a_full_disk_leaves_no_half_file(sums, tmp_path):
    """A limit on the size of files stands for the end of a disk."""
    out = tmp_path / "out"
    arguments = ["data", "regimes", "--problems", sums["problems"], "--solutions", sums["solutions"]]
    arguments += ["--output_dir", str(out), "--sizes", json.dumps(SIZES), "--verifier_processes.workers", "1"]

    def limit(size):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    full = subprocess.run([*HERO, *arguments], capture_output=True, text=True, preexec_fn=limit(8000))
    assert full.returncode == 1 and full.stderr.startswith("hero data: [Errno 27] File too large"), full.stderr
    assert not (out / "verified.jsonl").exists() and not list(out.glob("**/.*.tmp"))
    assert main([*arguments, "--json"]) == 0


def test_what_is_given_in_part_keeps_the_rest_of_the_paper_s_settings(tmp_path):
    given = {"output_dir": str(tmp_path), "generator": {"url": "http://localhost:1"}, "sampling": {"temperature": 1.0}}
    config = RegimesConfig(problems="p.jsonl", **given)
    assert config.generator.type == "openai"
    assert (config.sampling.temperature, config.sampling.samples) == (1.0, 1)
    checked = TextbookConfig(output_dir=str(tmp_path), problems={"limit": 5}, sampling={"max_tokens": 2048})
    assert (checked.problems.dataset, checked.problems.limit) == ("textbookreasoning", 5)
    assert (checked.sampling.temperature, checked.sampling.samples, checked.sampling.max_tokens) == (0.0, 1, 2048)


def test_the_command_line(sums, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--problems", sums["problems"], "--solutions", sums["solutions"], "--output_dir", str(out)]
    config = tmp_path / "config.yaml"
    config.write_text(f"problems: {sums['problems']}\nsizes: {json.dumps(SIZES)}\n")
    assert main(["data", "regimes", str(config), *arguments[2:], "--problems.instruction", "Box it.", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["drawn"]["easy_train"] == 20 and said["output_dir"] == str(out) and said["kept"] == []
    assert lines(out / "trl" / "easy_train.jsonl")[0]["prompt"].endswith("?\nBox it.")
    for wrong, message in [
        (["regimes"], "hero data: --output_dir: missing\n--problems: missing\n"),
        (
            ["regimes", str(config), *arguments[4:], "--generator.type", "opnai"],
            "config.yaml: generator.type: 'opnai' is",
        ),
        (["regimes", *arguments, "--size.easy", "1"], "size: unknown setting; did you mean 'sizes'?"),
        (["regimes", *arguments[:2], *arguments[4:]], "give either solutions, a file, or a generator"),
        (["regimes", *arguments, "--problems.path", "x"], "problems: path needs a preset as dataset"),
        (["regimes", *arguments, "--solutions", str(tmp_path / "gone.jsonl")], "gone.jsonl: No such file"),
        (["cold-start", "--solutions", sums["solutions"], "--output_dir", str(out), "--script", "Elvish"], "no script"),
        (["flags"], "unknown kind 'flags'; one of: regimes, cold-start, textbook"),
    ]:
        assert main(["data", *wrong]) == 2
        assert message in capsys.readouterr().err
    assert main(["data"]) == 0 and "cold-start" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["data", "regimes", "--help"])
    assert "--benchmarks" in capsys.readouterr().out


@pytest.mark.slow
def test_solutions_from_a_tiny_model(sums, tmp_path):
    from tiny_models import write

    del sums["solutions"]
    settings = sums | {
        "problems": {"dataset": sums["problems"], "limit": 6},
        "generator": {"type": "transformers", "path": str(write(tmp_path)[0]), "device": "cpu", "batch_size": 1},
        "sampling": {"samples": 2, "max_tokens": 4, "temperature": 1.0},
        "verifier": {"type": "exact"},
        "sizes": {"easy": 0, "hard": 4, "mixed": 0, "validation": 0},
    }
    made = make_regimes(RegimesConfig(output_dir=str(tmp_path / "a"), **settings))
    written = list(read_rollouts(made.folder / "solutions.jsonl"))
    assert [row.id for row in written] == [f"s{n}/{k}" for n in range(6) for k in range(2)]
    assert {row.extra["finish_reason"] for row in written} <= {"length", "stop"}
    assert made.account["solutions"]["models"] == {settings["generator"]["path"]: 12}
    assert make_regimes(RegimesConfig(output_dir=str(tmp_path / "b"), **settings)).kept == []
    assert hashed(tmp_path / "a")["solutions.jsonl"] == hashed(tmp_path / "b")["solutions.jsonl"]
    assert make_regimes(RegimesConfig(output_dir=str(tmp_path / "a"), **settings)).kept == [
        "solutions.jsonl", "verified.jsonl",
    ]  # fmt: skip


def solved(prompt):
    """The right sum, as a model would write it."""
    first, second = map(int, re.findall(r"\d+", prompt))
    return f"It is \\boxed{{{first + second}}}."


def test_a_generator_that_dies_is_gone_on_with(sums, tmp_path, server):
    del sums["solutions"]
    config = RegimesConfig(
        output_dir=str(tmp_path / "out"),
        **sums | {"sizes": {"easy": 9, "hard": 0, "mixed": 0, "validation": 0}},
        generator={"type": "openai", "url": server.url, "concurrency": 2, "retries": 0, "seconds": 2},
    )
    server.script = [says(solved)] * 20 + [answers(500)]
    with pytest.raises(GenerationError, match=r"the generator failed on 7 of 60 requests|is gone"):
        make_regimes(config)
    assert not (tmp_path / "out" / "solutions.jsonl").exists()
    server.script, server.posts = [waits(0.3, says(solved)), says(solved)], []  # the first comes after others
    made = make_regimes(config)
    assert len(server.posts) == 40, "what was written before is not asked for again"
    assert [row.group for row in read_rollouts(made.folder / "solutions.jsonl")] == [f"s{n}" for n in range(60)]
    assert made.account["counts"]["easy to verify"] == 59
    server.script = [answers(400), says(solved)]
    lost = make_regimes(config.model_copy(update={"output_dir": str(tmp_path / "b")}))
    assert lost.account["counts"]["left out: no solution"] == 1, "a failed request is no solution, and no wrong one"
