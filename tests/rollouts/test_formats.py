"""Files as other tools write them; each fixture does what the tool's own writer does, named in the format's module."""

import gzip
import json
import subprocess

import pandas
import pytest
import torch

from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Columns, RolloutReader, read_rollouts, write_rollouts

ASKED = [{"role": "user", "content": "What is 3 + 4?"}]


def said(text):
    return [{"role": "assistant", "content": text}]


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path, **settings):
    reader = RolloutReader(path, **settings)
    return reader, list(reader)


# verl


def dumped(uid, output, **more):
    return {"input": "p", "output": output, "gts": "7", "score": 1.0, "step": 1, "uid": uid} | more


def test_a_session_of_verl_is_its_last_output_and_padding_is_left_out(tmp_path):
    rows = [
        dumped("q1_0_1", "\\boxed{7}"),
        dumped("q1_1_0", "\\boxed{1}", score=0.0),
        dumped("pad00000000000000000000000000000032_0_0", ""),
        dumped("q1_0_0", "Let me call the tool."),
        dumped("q1_0_10", "so \\boxed{7}"),
        dumped("a_b_c", "no session"),
    ]
    reader, rollouts = read(lines(tmp_path / "1.jsonl", *rows))
    assert reader.layout.format == "verl"
    assert [(r.id, r.completion) for r in rollouts] == [
        ("q1_1_0", "\\boxed{1}"), ("q1_0_10", "so \\boxed{7}"), ("a_b_c", "no session"),
    ]  # fmt: skip
    assert rollouts[0].group == rollouts[1].group == "q1"
    assert dict(reader.passed_over) == {"an earlier output of its session": 2, "padding": 1}


def test_a_score_of_plus_and_minus_one_is_a_verdict_when_asked_for(tmp_path):
    path = lines(tmp_path / "1.jsonl", dumped("q_0_0", "a"), dumped("q_1_0", "b", score=-1.0))
    assert [r.verdict for r in read_rollouts(path)] == [None, None]
    assert [r.verdict for r in read_rollouts(path, Columns(verdict="score"))] == [1.0, 0.0]
    with pytest.raises(DataError, match="'score' must be"):
        list(read_rollouts(lines(tmp_path / "2.jsonl", dumped("q_0_0", "a", score=1.5)), Columns(verdict="score")))
    half = lines(tmp_path / "3.jsonl", dumped("q_0_0", "a", score=0.5))
    assert [r.verdict for r in read_rollouts(half, Columns(verdict="score"))] == [0.5]


def test_objects_inside_columns_are_reached_by_dotted_names(tmp_path):
    rows = [{"prompt": ASKED, "completion": "7", "reward_model": {"ground_truth": "7", "style": "rule"}}]
    for path in (lines(tmp_path / "a.jsonl", *rows), tmp_path / "a.parquet"):
        pandas.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
        _, (rollout,) = read(path, columns=Columns(reference="reward_model.ground_truth"))
        assert rollout.reference == "7" and rollout.extra["reward_model"]["style"] == "rule"
    with pytest.raises(ConfigError, match=r"no column 'reward_model.answer' for the reference"):
        RolloutReader(path, Columns(reference="reward_model.answer"))


@pytest.mark.parametrize(
    ("given", "read_as"),
    [(["7", "seven"], ["7", "seven"]), (["7"], "7"), ([7], "7"), (7.0, "7"), ([], None), ([None, "7"], "7")],
)
def test_references_are_text_numbers_or_lists_of_which_any_is_right(tmp_path, given, read_as):
    (rollout,) = read_rollouts(lines(tmp_path / "1.jsonl", dumped("q_0_0", "7", gts=given)))
    assert rollout.reference == read_as
    for name in ("out.jsonl", "out.parquet"):
        write_rollouts(tmp_path / name, [rollout])
        assert next(read_rollouts(tmp_path / name)).reference == read_as


# verifiers and prime-rl


def result(example, completion, **more):
    return {
        "example_id": example,
        "prompt": ASKED,
        "completion": completion,
        "answer": "7",
        "reward": 1.0,
        "error": None,
        "timing": {"total": 1.5},
        "is_completed": True,
        "is_truncated": False,
        "metrics": {"correct": 1.0},
        "correct": 1.0,
    } | more


def test_results_of_verifiers(tmp_path):
    call = {"id": "1", "name": "add", "arguments": '{"a": 3, "b": 4}'}
    used = [
        {"role": "assistant", "content": "", "tool_calls": [json.dumps(call)]},
        {"role": "tool", "tool_call_id": "1", "content": "7"},
        *said("\\boxed{7}"),
    ]
    failed = result(0, None, error={"error": "ModelError"}, reward=0.0)
    path = lines(tmp_path / "results.jsonl", failed, result(0, used), result(1, said("6"), reward=0.0, score=0.5))
    reader, rollouts = read(path)
    assert reader.layout.format == "verifiers" and dict(reader.passed_over) == {"no completion": 1}
    assert [(r.group, r.reward, r.reference, r.verdict, r.score) for r in rollouts] == [
        (0, 1.0, "7", None, None), (1, 0.0, "7", None, None),
    ]  # fmt: skip
    assert rollouts[0].completion[0]["tool_calls"][0]["function"] == {"name": "add", "arguments": call["arguments"]}
    assert rollouts[1].extra["input_score"] == 0.5
    assert [r.verdict for r in read_rollouts(path, Columns(verdict="correct"))] == [1.0, 1.0]


def node(parent, message, sampled=False):
    return {"parent": parent, "message": message, "sampled": sampled, "timestamp": 1.0, "token_ids": [], "mask": []}


def test_episodes_of_prime_rl(tmp_path):
    nodes = [
        node(None, {"role": "system", "content": "Be brief."}),
        node(0, ASKED[0]),
        node(1, {"role": "assistant", "content": "6"}, sampled=True),
        node(1, {"role": "assistant", "content": "7"}, sampled=True),  # another branch, which stands
    ]
    task = {"type": "Task", "data": {"idx": 3, "answer": "7"}, "key": "gsm8k-3"}
    trace = {
        "id": "t1", "task": task, "agent": {"name": "solver", "trainable": True}, "nodes": nodes, "ok": True,
        "rewards": {"correct": {"score": 1.0, "weight": 0.5}}, "metrics": {"length": 3.0},
    }  # fmt: skip
    judge = {"id": "t2", "task": task, "agent": {"name": "judge", "trainable": False}, "nodes": nodes, "rewards": {}}
    work = {"type": "train", "id": "run", "work": {"type": "train", "step": 5}}
    episode = {"id": "e1", "env": {"id": "math"}, "task": task, "group": {"id": "g9"}, "run": work, "ok": True}
    path = lines(tmp_path / "traces.jsonl", episode | {"traces": []}, episode | {"traces": [trace, judge]})
    reader, (rollout,) = read(path)
    assert reader.layout.format == "traces"
    assert dict(reader.passed_over) == {"no completion": 1, "another agent than the policy": 1}
    assert rollout.prompt == [{"role": "system", "content": "Be brief."}, *ASKED]
    assert rollout.completion == said("7") and rollout.reference == "7"
    assert (rollout.id, rollout.group, rollout.step, rollout.reward) == ("t1", "g9", 5, 0.5)
    circle = [node(1, ASKED[0]), node(0, {"role": "assistant", "content": "7"}, sampled=True)]
    with pytest.raises(DataError, match=r"traces.jsonl:1: a message of 'nodes' follows one that comes after it"):
        list(read_rollouts(lines(path, episode | {"traces": [trace | {"nodes": circle}]})))


# NeMo-RL


def test_nemo_rl_s_steps(tmp_path):
    def logged(content, reward, advantage, idx):
        return {
            "content": [content], "rewards": [reward], "input_lengths": [4], "token_ids": [[1, 2, 3, 4]],
            "token_loss_mask": [[0, 0, 1, 1]], "sample_loss_mask": [1.0], "advantages": [[0, 0, advantage, advantage]],
            "generation_logprobs": [[0.0, 0.0, -0.1, -0.2]], "prev_logprobs": [[0.0, 0.0, -0.1, -0.2]], "idx": idx,
        }  # fmt: skip

    asked = "<|im_start|>user\nWhat is 3 + 4?<|im_end|>\n<|im_start|>assistant\n"
    for step in (9, 10):
        rows = [logged([asked, "\\boxed{7}"], 1.0, 0.5, 0), logged([asked, "8"], 0.0, -0.5, 1)]
        lines(tmp_path / f"train_data_step{step}.jsonl", *rows)
    lines(tmp_path / "val_data_step9.jsonl", {"content": [[*ASKED, *said("7")]], "rewards": [1.0], "idx": 0})
    reader, rollouts = read(tmp_path)
    assert reader.layout.format == "nemo_rl" and [r.step for r in rollouts] == [9, 9, 10, 10]
    assert (rollouts[0].prompt, rollouts[0].completion) == (asked, "\\boxed{7}")
    assert [r.reward for r in rollouts[:2]] == [1.0, 0.0] and [r.advantage for r in rollouts[:2]] == [0.5, -0.5]
    assert rollouts[0].group == rollouts[1].group and "token_ids" not in rollouts[0].extra
    _, (validated,) = read(tmp_path / "val_data_step9.jsonl")
    assert (validated.prompt, validated.completion, validated.step) == (ASKED, said("7"), 9)


# open-instruct


def test_open_instruct_s_traces_need_the_tokenizer(tmp_path, tiny_tokenizer):
    folder, tokenizer = tiny_tokenizer
    record = {
        "step": 3, "sample_idx": 0, "prompt_idx": 2, "prompt_tokens": tokenizer("3 + 4 =")["input_ids"],
        "response_tokens": tokenizer(" 7")["input_ids"], "reward": 10.0, "advantage": 0.25, "finish_reason": "stop",
        "dataset": ["gsm8k"], "ground_truth": ["7"], "request_info": None, "logprobs": None,
    }  # fmt: skip
    path = lines(tmp_path / "run_rollouts_000000.jsonl", record)
    _, (rollout,) = read(path, tokenizer=str(folder))
    assert (rollout.prompt, rollout.completion, rollout.reference) == ("3 + 4 =", " 7", "7")
    assert (rollout.group, rollout.step, rollout.reward, rollout.advantage) == (2, 3, 10.0, 0.25)
    with pytest.raises(ConfigError, match="token ids: name the policy's tokenizer"):
        RolloutReader(path)


@pytest.fixture(scope="module")
def tiny_tokenizer(tmp_path_factory):
    from tiny_reward_models import tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save_pretrained(folder)
    return folder, tokenizer()


# slime


def sample(index, response, status="completed", **more):
    return {
        "group_index": index // 2, "index": index, "prompt": "3 + 4 =", "tokens": [1, 2], "response": response,
        "response_length": 1, "label": "7", "reward": 1.0, "loss_mask": [1], "status": status, "metadata": {},
        "rollout_log_probs": torch.zeros(1), "spec_info": {},
    } | more  # fmt: skip


def test_slime_s_debug_rollouts(tmp_path):
    samples = [sample(0, "7"), sample(1, "", "aborted"), sample(2, "8", reward={"acc": 0.0})]
    torch.save({"rollout_id": 4, "samples": samples}, tmp_path / "4.pt")
    torch.save({"rollout_id": 4, "samples": samples}, tmp_path / "eval_4.pt")
    reader, rollouts = read(tmp_path)
    assert reader.layout.format == "slime" and dict(reader.passed_over) == {"no completion": 1}
    assert [file.name for file in reader.left_out] == ["eval_4.pt"]
    assert [(r.id, r.group, r.completion, r.reward, r.step) for r in rollouts] == [
        ("0", 0, "7", 1.0, 4), ("2", 1, "8", None, 4),
    ]  # fmt: skip
    assert rollouts[1].extra["rewards"] == {"acc": 0.0}


def test_a_torch_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (subprocess.call, (["true"],))

    torch.save({"samples": [Evil()]}, tmp_path / "1.pt")
    with pytest.raises(DataError, match=r"1.pt: no torch file of plain values"):
        RolloutReader(tmp_path / "1.pt")


# OpenRLHF


def test_openrlhf_s_batch_inference(tmp_path):
    reader, (rollout,) = read(lines(tmp_path / "out.jsonl", {"input": "3 + 4 =", "output": "7", "reward": 1.5}))
    assert reader.layout.format == "openrlhf"
    assert (rollout.prompt, rollout.completion, rollout.score, rollout.reward) == ("3 + 4 =", "7", 1.5, None)


# Evaluations


def harness_sample(doc, responses, filter="strict-match", matches=1.0, prompt="Q: 3 + 4\nA:"):
    return {
        "doc_id": doc, "doc": {"question": "3 + 4", "answer": "so 7 #### 7"}, "target": "7",
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": ["Q:"]}}}, "resps": [responses],
        "filtered_resps": ["7"], "filter": filter, "metrics": ["exact_match"], "doc_hash": "d", "prompt_hash": "p",
        "target_hash": "t", "exact_match": matches,
    }  # fmt: skip


def test_samples_of_the_evaluation_harness(tmp_path):
    chat = [json.dumps(ASKED)]
    path = lines(
        tmp_path / "samples_gsm8k_2026.jsonl",
        harness_sample(0, [" 7"]),
        harness_sample(1, ["8", "7"], matches=0.0, prompt=chat),
        harness_sample(0, [" 7"], filter="flexible-extract"),
        harness_sample(1, ["8", "7"], filter="flexible-extract"),
    )
    reader, rollouts = read(path)
    assert reader.layout.format == "lm_eval" and dict(reader.passed_over) == {"another filter": 2}
    assert [(r.id, r.group, r.completion, r.reference, r.verdict) for r in rollouts] == [
        ("0/0", 0, " 7", "7", 1.0), ("1/0", 1, "8", "7", None), ("1/1", 1, "7", "7", None),
    ]  # fmt: skip
    assert rollouts[0].prompt == "Q: 3 + 4\nA:" and rollouts[1].prompt == ASKED
    choice = harness_sample(0, [["-1.5", "False"]])
    with pytest.raises(DataError, match=r"samples.jsonl:1: 'resps' .* no generation"):
        list(read_rollouts(lines(tmp_path / "samples.jsonl", choice)))


def test_details_of_lighteval(tmp_path):
    doc = {"query": "3 + 4 =", "choices": ["7", "seven"], "gold_index": [0, 1], "id": "5", "task_name": "math|0"}
    one = {"input": ASKED, "text": ["7"], "output_tokens": [[1]]}
    two = {"input": None, "text": ["7", "8"], "output_tokens": [[1], [2]]}
    rows = [
        {"doc": doc, "model_response": one, "metric": {"extractive_match": 1.0}},
        {"doc": doc | {"gold_index": [0], "id": "6"}, "model_response": two, "metric": {"extractive_match": 1.0}},
    ]
    pandas.DataFrame(rows).to_parquet(tmp_path / "details_math_2026.parquet")
    reader, rollouts = read(tmp_path / "details_math_2026.parquet")
    assert reader.layout.format == "lighteval"
    assert [(r.id, r.completion, r.reference, r.verdict) for r in rollouts] == [
        ("5/0", "7", ["7", "seven"], 1.0), ("6/0", "7", "7", None), ("6/1", "8", "7", None),
    ]  # fmt: skip
    assert rollouts[0].prompt == ASKED and rollouts[1].prompt == "3 + 4 ="
    assert rollouts[1].group == rollouts[2].group != rollouts[0].group


def test_gsm8k_s_example_solutions(tmp_path):
    row = {
        "question": "How many?", "ground_truth": "3 + 4 = <<3+4=7>>7\nA: 7",
        "6b_finetuning": {"is_correct": False, "solution": "3 * 4 = 12\nA: 12"},
        "175b_verification": {"is_correct": True, "solution": "3 + 4 = 7\nA: 7"},
    }  # fmt: skip
    path = tmp_path / "example_model_solutions.jsonl.gz"
    path.write_bytes(gzip.compress((json.dumps(row) + "\n").encode()))
    reader, rollouts = read(path)
    assert reader.layout.format == "gsm8k"
    assert [(r.verdict, r.reference, r.extra["model"]) for r in rollouts] == [
        (0.0, "7", "6b_finetuning"), (1.0, "7", "175b_verification"),
    ]  # fmt: skip
    assert rollouts[0].group == rollouts[1].group and rollouts[1].completion == "3 + 4 = 7\nA: 7"


def test_a_row_that_its_tool_would_not_write_is_named(tmp_path):
    path = lines(tmp_path / "a.jsonl", result(0, said("7")), {"example_id": 1, "completion": said("8")})
    with pytest.raises(DataError, match=r"a.jsonl:2: not as verifiers writes it: KeyError\('prompt'\)"):
        list(read_rollouts(path))
    path = lines(tmp_path / "b.jsonl", result(0, None))
    with pytest.raises(DataError, match=r"b.jsonl: no rows but such with \{'no completion': 1\}"):
        RolloutReader(path)
