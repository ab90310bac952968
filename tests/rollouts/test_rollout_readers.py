import gzip
import json
import math
import re
import tracemalloc
from collections import defaultdict
from types import SimpleNamespace

import numpy
import pandas
import pytest

from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Columns, RolloutReader, read_rollouts
from hero_rl.trainers.rollout_files import RolloutFiles

CHAT = [{"role": "user", "content": "1 + 1 ="}]


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(**changes):
    return {"prompt": "p", "completion": "c", "verdict": 1, "score": 0.5} | changes


def as_trl_writes(folder, monkeypatch, prompts, completions, rewards, extra, advantages, step):
    """TRL's own code, on a trainer that has nothing but what it logs."""
    import transformers
    from trl import GRPOTrainer

    monkeypatch.setattr(transformers.Trainer, "log", lambda *_: None)
    trainer = object.__new__(GRPOTrainer)
    trainer.__dict__ |= {
        "model": SimpleNamespace(training=True),
        "accelerator": SimpleNamespace(is_main_process=True),
        "state": SimpleNamespace(global_step=step),
        "args": SimpleNamespace(output_dir=str(folder), report_to=[]),
        "_metrics": {"train": defaultdict(list)},
        "log_completions": True,
        "num_completions_to_print": 0,
        "log_unique_prompts": False,
        "_logs": {
            "prompt": prompts,
            "completion": completions,
            "rewards": rewards,
            "extra": extra,
            "advantages": advantages,
            "images": [],
        },
    }
    (folder / "completions").mkdir(parents=True, exist_ok=True)
    trainer.log({})
    return folder / "completions"


def as_verl_writes(folder, step, inputs, outputs, gts, scores, more):
    """The loop of `_write_generations` in verl 0.9.1, with what it makes of numpy's numbers."""
    folder.mkdir(exist_ok=True)
    base = {"input": inputs, "output": outputs, "gts": gts, "score": scores, "step": [step] * len(inputs)} | more
    with open(folder / f"{step}.jsonl", "w") as f:
        for i in range(len(inputs)):
            entry = {k: v[i] for k, v in base.items()}
            f.write(json.dumps(entry, ensure_ascii=False, default=lambda o: o.tolist()) + "\n")


def test_trls_completions_of_stock_reward_functions(tmp_path, monkeypatch):
    rewards = {"accuracy_reward": [1.0, 0.0, math.nan], "my_model": [0.25, math.nan, -1.0]}
    prompts = [CHAT, CHAT, [{"role": "user", "content": "2 + 2 ="}]]
    folder = as_trl_writes(tmp_path, monkeypatch, prompts, ["2", "3", "4"], rewards, {}, [0.5, -0.5, 0.0], 7)
    as_trl_writes(tmp_path, monkeypatch, prompts, ["5", "6", "7"], rewards, {}, [0.5, -0.5, 0.0], 100000)
    assert sorted(file.name for file in folder.iterdir()) == ["completions_00007.parquet", "completions_100000.parquet"]
    reader = RolloutReader(folder, Columns(verdict="accuracy_reward", score="my_model"))
    assert reader.layout.format == "trl"
    rollouts = list(reader)
    assert [r.step for r in rollouts] == [7] * 3 + [100000] * 3
    assert [r.verdict for r in rollouts[:3]] == [1.0, 0.0, None]
    assert [r.score for r in rollouts[:3]] == [0.25, None, -1.0]
    assert [r.advantage for r in rollouts[:3]] == [0.5, -0.5, 0.0]
    assert rollouts[0].prompt == CHAT and rollouts[0].completion == "2"
    assert rollouts[0].group == rollouts[1].group != rollouts[2].group
    stock = next(read_rollouts(folder))
    assert (stock.verdict, stock.score, stock.extra) == (None, None, {"accuracy_reward": 1.0, "my_model": 0.25})


def test_trls_completions_of_our_trainer_need_no_names(tmp_path, monkeypatch):
    rewards = {"verifier": [1.0, math.nan], "reward_model": [0.25, 0.5]}
    extra = {"answer": ["2", None], "group": [4, 4], "reference": ["2", "2"], "reward": [1.5, math.nan]}
    folder = as_trl_writes(tmp_path, monkeypatch, ["p", "p"], ["a", "b"], rewards, extra, [0.1, 0.0], 1)
    first, second = read_rollouts(folder)
    assert (first.verdict, first.score, first.reward, first.group, first.reference) == (1.0, 0.25, 1.5, 4, "2")
    assert (second.verdict, second.reward, second.extra) == (None, None, {"answer": None})


def test_the_files_of_our_trainer_in_the_order_of_steps_without_evaluation(tmp_path):
    files = RolloutFiles(tmp_path)
    one = {"prompt": CHAT, "completion": "a", "reference": "r", "answer": "x", "group": 0, "verdict": 1.0}
    rows = [one | {"score": 0.1, "reward": 1.0}, one | {"verdict": math.nan, "score": 0.3, "reward": math.nan}]
    for mode, step in [("train", 10), ("train", 9), ("train", 9), ("eval", 9)]:
        files.write(rows, mode, step)
    reader = RolloutReader(tmp_path)
    assert [f.name for f in reader.files] == [
        "train_000009_000.parquet",
        "train_000009_001.parquet",
        "train_000010_000.parquet",
    ]
    assert [f.name for f in reader.left_out] == ["eval_000009_000.parquet"]
    rollouts = list(reader)
    assert [r.step for r in rollouts] == [9, 9, 9, 9, 10, 10]
    assert (rollouts[1].verdict, rollouts[1].reward, rollouts[1].score) == (None, None, 0.3)
    assert rollouts[0].extra == {"answer": "x", "mode": "train"}
    assert str(rollouts[1].place) == f"{tmp_path}/train_000009_000.parquet row 2"
    assert len(list(read_rollouts(tmp_path / "eval_000009_000.parquet"))) == 2


def test_verls_dumps_in_the_order_of_steps(tmp_path):
    for step in (10, 9):
        as_verl_writes(
            tmp_path / "dumps",
            step,
            ["user\n1 + 1", "user\n1 + 1", "user\n1 + 1"],
            ["2", "3", "2"],
            ["2", "2", None],
            [numpy.float64(1), math.nan, 0.5],
            {"uid": ["a-1_0_0", "a-1_1_0", "b-2_0_0"], "acc": [numpy.bool_(True), False, True], "reward": [1, 2, 3]},
        )
    reader = RolloutReader(tmp_path / "dumps")
    rollouts = list(reader)
    assert reader.layout.format == "verl"
    assert [r.step for r in rollouts] == [9] * 3 + [10] * 3
    assert [r.group for r in rollouts[:3]] == ["a-1", "a-1", "b-2"], "equal prompts of two samples are two groups"
    assert [r.id for r in rollouts[:3]] == ["a-1_0_0", "a-1_1_0", "b-2_0_0"]
    assert [r.reward for r in rollouts[:3]] == [1.0, None, 0.5], "verl's score is the reward that it trained on"
    assert [(r.verdict, r.score) for r in rollouts[:3]] == [(None, None)] * 3
    assert [r.reference for r in rollouts[:3]] == ["2", "2", None]
    assert rollouts[0].extra == {"acc": True, "input_reward": 1}
    asked = next(read_rollouts(tmp_path / "dumps", Columns(verdict="acc", score="score")))
    assert (asked.verdict, asked.score, asked.reward) == (1.0, 1.0, None)


def test_a_verl_dump_without_uid_groups_by_step_and_prompt(tmp_path):
    as_verl_writes(tmp_path / "d", 1, ["p", "q", "p"], ["1", "2", "3"], ["1"] * 3, [1.0] * 3, {"request_id": [1, 2, 3]})
    a, b, c = read_rollouts(tmp_path / "d" / "1.jsonl")
    assert a.group == c.group != b.group
    assert a.id == "1"


def test_grouped_rows(tmp_path):
    rows = [
        {
            "id": f"x{n}",
            "prompt": "same prompt",
            "reference": 4,
            "completions": ["a", CHAT],
            "labels": [True, 0],
            "rm_scores": [1, None],
            "answers": ["A", "B"],
            "tags": ["one", "two", "three"],
        }
        for n in range(2)
    ]
    path = jsonl(tmp_path / "g.jsonl", *rows)
    rollouts = list(read_rollouts(path))
    assert [r.group for r in rollouts] == [0, 0, 1, 1], "the row is the group"
    assert [r.id for r in rollouts] == ["x0/0", "x0/1", "x1/0", "x1/1"]
    assert [(r.verdict, r.score) for r in rollouts[:2]] == [(1.0, 1.0), (0.0, None)]
    assert rollouts[1].completion == CHAT and rollouts[1].reference == "4"
    assert rollouts[1].extra == {"answers": "B", "tags": ["one", "two", "three"]}
    named = Columns(completion="completions", group="id", label="labels", score="rm_scores")
    assert [r.group for r in read_rollouts(path, named)] == ["x0", "x0", "x1", "x1"]


def test_columns_by_other_names_and_what_is_not_used_is_kept(tmp_path):
    path = jsonl(
        tmp_path / "a.jsonl", {"q": "p", "a": "c", "gold": 2.0, "score": 1, "mine": 3, "verdict": "good", "y": 1}
    )
    found = next(read_rollouts(path, Columns(prompt="q", completion="a", score="mine", label="y")))
    assert (found.prompt, found.completion, found.reference, found.score, found.verdict) == ("p", "c", "2", 3.0, 1.0)
    assert found.extra == {"input_score": 1, "input_verdict": "good"}
    with pytest.raises(ConfigError, match=r"a.jsonl: no column 'z' for the prompt; the file has \['a', 'gold'"):
        read_rollouts(path, Columns(prompt="z"))
    with pytest.raises(ConfigError, match="'y' for the verdict or 'mine' as the label, not both"):
        read_rollouts(path, Columns(prompt="q", completion="a", verdict="y", label="mine"))


def test_a_label_stands_in_only_where_there_is_no_verdict(tmp_path):
    assert next(read_rollouts(jsonl(tmp_path / "a.jsonl", {"prompt": "p", "completion": "c", "label": 1}))).verdict == 1
    kept = next(read_rollouts(jsonl(tmp_path / "b.jsonl", row(label=0))))
    assert (kept.verdict, kept.extra) == (1.0, {"label": 0})
    assert next(read_rollouts(tmp_path / "b.jsonl", Columns(label="label"))).verdict == 0.0


def test_a_reference_of_any_length_is_text(tmp_path):
    long = 10**401 + 7
    path = jsonl(tmp_path / "a.jsonl", row(reference=long))
    assert [rollout.reference for rollout in read_rollouts(path)] == [str(long)]


def test_gzip_blank_lines_and_a_format_that_is_named(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" + json.dumps(row(gold="g")).encode() + b"\n\n"))
    (found,) = read_rollouts(path)
    assert str(found.place) == f"{path}:2" and found.reference == "g"
    assert next(read_rollouts(path, format="rollouts")) == found
    with pytest.raises(DataError, match="no column 'input' for the prompt"):
        read_rollouts(path, format="verl")
    with pytest.raises(ConfigError, match="format 'verls' is none of rollouts, trl, verl, grouped"):
        read_rollouts(path, format="verls")


GOOD = json.dumps(row(step=1, group=1, reference="r")).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"prompt": "p", "completion": "c"', "a.jsonl:3: not valid JSON: .*the file ends in the middle of this line"),
        (b"nonsense\n", "a.jsonl:3: not valid JSON: Expecting value at character 1$"),
        (b'{"prompt": \n', "a.jsonl:3: not valid JSON: Expecting value at character 13$"),
        (b"[1]\n", "a.jsonl:3: an object is expected, not list"),
        (b'{"prompt": "\xff"}\n', "a.jsonl:3: not valid UTF-8: invalid start byte at byte 13 of the line"),
        (b"[" * 100000 + b"\n", "a.jsonl:3: not valid JSON: nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", "a.jsonl:3: not valid JSON: Exceeds the limit"),
        (GOOD.replace(b"0.5", b"Infinity"), "a.jsonl:3: not valid JSON: Infinity is no number"),
        (GOOD.replace(b"0.5", b'"NaN"'), "a.jsonl:3: 'score' must be a number or null, not 'NaN'"),
        (GOOD.replace(b"0.5", b"1e999"), "a.jsonl:3: 'score' must be a finite number, not inf"),
        (GOOD.replace(b"0.5", b"true"), "a.jsonl:3: 'score' must be a number or null, not True"),
        (GOOD.replace(b'"score"', b'"scor"'), "a.jsonl:3: no column 'score'; it has "),
        (
            GOOD.replace(b'"verdict": 1', b'"verdict": -1'),
            "a.jsonl:3: 'verdict' must be a number from 0 to 1, true, false or null, not -1",
        ),
        (GOOD.replace(b'"p"', b"7"), "a.jsonl:3: 'prompt' must be text or a list of chat messages, not 7"),
        (GOOD.replace(b'"c"', b'[{"role": 1}]'), r"a.jsonl:3: 'completion\[0\]' must be a chat message with a role"),
        (GOOD.replace(b'"c"', b'[{"role": "u", "content": 1}]'), r"a.jsonl:3: 'completion\[0\].content' must be text"),
        (GOOD.replace(b'"step": 1', b'"step": 1.5'), "a.jsonl:3: 'step' must be a whole number or null, not 1.5"),
        (GOOD.replace(b'"group": 1', b'"group": []'), "a.jsonl:3: 'group' must be text, a whole number or null"),
        (GOOD.replace(b'"r"', b"true"), "a.jsonl:3: 'reference' must be text, a number, a list of such or null"),
        (
            GOOD.replace(b"}", b', "reward": 1}'),
            "a.jsonl:3: column 'reward' is not in the first row of .*a.jsonl, which sets the",
        ),
    ],
)
def test_a_bad_line_is_named_after_the_good_ones_were_given(tmp_path, line, said):
    (tmp_path / "a.jsonl").write_bytes(GOOD + GOOD + line)
    rollouts = read_rollouts(tmp_path / "a.jsonl")
    assert [next(rollouts).score, next(rollouts).score] == [0.5, 0.5]
    with pytest.raises(DataError, match=said):
        next(rollouts)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rm_scores": [1.0]}, "'rm_scores' has 1 entries for 2 completions"),
        ({"labels": [1, 2]}, r"'labels\[1\]' must be 0, 1, true, false or null, not 2"),
        ({"completions": "a"}, "'completions' must be a list, not 'a'"),
        ({"completions": ["a", 3]}, r"'completions\[1\]' must be text or a list of chat messages, not 3"),
        ({"rm_scores": 1.0}, "'rm_scores' must be a list, not 1.0"),
    ],
)
def test_a_bad_group_is_named(tmp_path, changes, said):
    good = {"prompt": "p", "completions": ["a", "b"], "labels": [1, 0], "rm_scores": [0.5, 1.5]}
    path = jsonl(tmp_path / "g.jsonl", good, good | changes)
    with pytest.raises(DataError, match=f"g.jsonl:2: {said}"):
        list(read_rollouts(path))


def test_bad_files(tmp_path):
    with pytest.raises(DataError, match="nowhere: No such file"):
        read_rollouts(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no file that ends in"):
        read_rollouts(tmp_path)
    with pytest.raises(DataError, match=r"empty.jsonl: no rows"):
        read_rollouts(jsonl(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match=r"a.jsonl: none of the formats rollouts, trl, verl, grouped"):
        read_rollouts(jsonl(tmp_path / "a.jsonl", {"text": "x"}))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 is not enough")
    with pytest.raises(DataError, match=r"a.parquet: not a parquet file"):
        read_rollouts(tmp_path / "a.parquet")
    whole = gzip.compress(GOOD * 100)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"a.jsonl.gz:\d+: the compressed data is damaged or ends too soon"):
        list(read_rollouts(tmp_path / "a.jsonl.gz"))


def test_a_column_that_comes_later_is_named_with_the_file_that_sets_the_layout(tmp_path):
    (tmp_path / "1.jsonl").write_bytes(GOOD)
    (tmp_path / "2.jsonl").write_bytes(GOOD.replace(b"}", b', "reward": 1}'))
    said = f"{tmp_path / '2.jsonl'}:1: column 'reward' is not in the first row of {tmp_path / '1.jsonl'}, which sets"
    with pytest.raises(DataError, match=re.escape(said)):
        list(read_rollouts(tmp_path))


@pytest.mark.parametrize("inside", ["rollouts", "completions"])
def test_the_folder_of_a_run_is_read_where_its_rollouts_are(tmp_path, inside):
    """Beside them stand its records, its log and its checkpoints."""
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    for folder, name in (("checkpoint-3", "trainer_state.json"), (inside, "1.jsonl")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(GOOD)
    reader = RolloutReader(tmp_path)
    assert reader.path == tmp_path / inside and reader.files == [tmp_path / inside / "1.jsonl"]


def test_a_checkpoint_is_no_hint(tmp_path):
    for folder in ("checkpoint-3", "dumps"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.json").write_bytes(GOOD)
    with pytest.raises(DataError, match=r"did you mean .*dumps\?"):
        RolloutReader(tmp_path)
    (tmp_path / "dumps" / "a.json").unlink()
    with pytest.raises(DataError, match=r"no file that ends in [^?]*$"):
        RolloutReader(tmp_path)


@pytest.mark.parametrize("other", ["verdict", "label"])
def test_one_column_is_not_verdict_and_score(other):
    with pytest.raises(ConfigError, match=f"column 'c' is named for the {other} and for the score"):
        Columns(**{other: "c", "score": "c"})


def test_a_bad_parquet_row_is_named(tmp_path):
    table = pandas.DataFrame({"prompt": ["p"] * 600, "completion": ["c"] * 600, "verdict": [1.0] * 599 + [1.5]})
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a.parquet row 600: 'verdict' must be a number from 0 to 1, true, false or null, not 1.5"
    ):
        list(read_rollouts(tmp_path / "a.parquet"))


def test_the_file_is_never_in_memory(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        for n in range(4000):
            file.write(json.dumps(row(completion=f"{n}" * 1000)) + "\n")
    reader = RolloutReader(path)
    tracemalloc.start()
    moved = [reader.position for _ in reader]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 10e6 and peak < 1e6
    assert 0 < moved[0] < moved[2000] < moved[-1] == reader.size


def test_real_rollouts(shared):
    rollouts = list(read_rollouts(shared / "data" / "rollouts_math100.jsonl"))
    right = defaultdict(float)
    for rollout in rollouts:
        right[rollout.group] += rollout.verdict
    kinds = [value / 8 for value in right.values()]
    assert len(rollouts) == 800
    assert (kinds.count(1.0), kinds.count(0.0)) == (86, 4)
    assert all(math.isfinite(rollout.score) for rollout in rollouts)
