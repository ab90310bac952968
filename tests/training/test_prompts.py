import json

import pyarrow
import pyarrow.parquet
import pytest

from hero_rl.errors import DataError
from hero_rl.rules import AuditedHero, GatedHero, Hero, RewardModelOnly
from hero_rl.trainers.dataset import WHOLE_ROW, check_datasets, warn_of_unreadable
from hero_rl.training.configs.policy import DataConfig
from hero_rl.training.rows.prompts import load_prompts
from hero_rl.verifiers import ByDomainVerifier, ExactVerifier, HttpVerifier, Verdict


def jsonl(tmp_path, *rows, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def load(source, **settings):
    return load_prompts(DataConfig(train=source, **settings), "train").to_list()


def test_text_becomes_a_user_message_and_numbers_become_text(tmp_path):
    source = jsonl(tmp_path, {"prompt": "2 + 2", "answer": 4, "level": "easy"}, {"prompt": "1 + 1", "answer": "2"})
    assert load(source) == [
        {"prompt": [{"role": "user", "content": "2 + 2"}], "answer": "4"},
        {"prompt": [{"role": "user", "content": "1 + 1"}], "answer": "2"},
    ]


def test_plain_text_other_columns_system_prompt_and_limit(tmp_path):
    source = jsonl(tmp_path, *({"problem": f"p{i}", "gold": str(i)} for i in range(5)))
    columns = {"prompt_column": "problem", "reference_column": "gold", "limit": 2}
    assert load(source, chat=False, **columns) == [{"prompt": "p0", "gold": "0"}, {"prompt": "p1", "gold": "1"}]
    first = load(source, system_prompt="be brief", **columns)[0]["prompt"]
    assert first == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "p0"}]


def test_the_domain_column_comes_along(tmp_path):
    source = jsonl(tmp_path, {"prompt": "2 + 2", "answer": 4, "kind": "maths"}, {"prompt": "1 + 1", "answer": "2"})
    with pytest.raises(DataError, match="no column 'kind'"):
        load(source, domain_column="kind")
    assert load(source, domain_column="kind", limit=1)[0]["kind"] == "maths"


def test_parquet_and_message_lists(tmp_path):
    rows = [{"prompt": [{"role": "user", "content": "hi"}], "answer": "1"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert load(str(tmp_path / "rows.parquet")) == rows
    with pytest.raises(DataError, match=r"rows.parquet: no column 'gold'; it has \['answer', 'prompt'\]"):
        load(str(tmp_path / "rows.parquet"), reference_column="gold")


def test_integers_that_a_gap_made_floats_are_integers_again(tmp_path):
    table = pyarrow.table({"prompt": ["a", "b"], "answer": [5.0, 2.5]})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    assert [row["answer"] for row in load(str(tmp_path / "rows.parquet"))] == ["5", "2.5"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows.jsonl: no rows"),
        ([{"prompt": "a"}], r"rows.jsonl:1: no column 'answer'; it has \['prompt'\]"),
        ([{"prompt": "a", "answer": "1"}, "{oops"], "rows.jsonl:2: not valid JSON"),
        ([{"prompt": "a", "answer": "1"}, "[1]"], "rows.jsonl:2: an object is expected, not list"),
        ([{"prompt": "a", "answer": ""}], "rows.jsonl: no verifier applies to any row: 'answer' holds no answer"),
        (['{"prompt": "a", "answer": NaN}'], "rows.jsonl: no verifier applies to any row"),
        ([{"prompt": "a", "answer": True}], "rows.jsonl:1: 'answer' must be text or a number, not True"),
        ([{"prompt": "  ", "answer": "1"}], "rows.jsonl:1: 'prompt' must be text or a list of chat messages"),
        ([{"prompt": [{"role": "user"}], "answer": "1"}], "rows.jsonl:1: 'prompt' must be text or a list"),
    ],
)
def test_bad_rows_are_named_with_file_and_line(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        load(jsonl(tmp_path, *rows))


def test_text_and_messages_in_one_file_are_refused(tmp_path):
    rows = [{"prompt": "a", "answer": "1"}, {"prompt": [{"role": "user", "content": "b"}], "answer": "1"}]
    with pytest.raises(DataError, match="holds text in some rows and message lists in others"):
        load(jsonl(tmp_path, *rows), chat=False)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"data.train: .*absent.jsonl: no such file"):
        load(str(tmp_path / "absent.jsonl"))
    broken = tmp_path / "broken.parquet"
    broken.write_text("not parquet at all")
    with pytest.raises(DataError, match=r"broken.parquet: not a parquet file"):
        load(str(broken))
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"prompt": "a", "answer": "é"}\n'.encode("latin-1"))
    with pytest.raises(DataError, match=r"latin.jsonl:1: not valid UTF-8"):
        load(str(latin))


def test_a_name_that_is_neither_file_nor_reachable_dataset():
    with pytest.raises(DataError, match=r"nobody/nothing .neither a file here nor a dataset"):
        load("nobody/nothing")


def test_a_dotted_name_reaches_into_objects(tmp_path):
    row = {"prompt": [{"role": "user", "content": "2 + 2"}], "reward_model": {"ground_truth": "4", "style": "rule"}}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "rows.parquet")
    for source in (jsonl(tmp_path, row), str(tmp_path / "rows.parquet")):
        (found,) = load(source, reference_column="reward_model.ground_truth")
        assert found == {"prompt": row["prompt"], "reward_model.ground_truth": "4"}


class Upper:
    """Compares with nothing."""

    needs_reference = False

    def verify(self, reference, completion):
        return Verdict(float(completion.isupper()), "upper case")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_rows_need_no_reference_where_the_verifier_says_so(tmp_path, form):
    rows = [{"prompt": "a", "verifier_metadata": {"tests": [n]}, "kind": "shout"} for n in range(2)]
    source = jsonl(tmp_path, *rows)
    if form == "parquet":
        source = str(tmp_path / "rows.parquet")
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), source)
    data, server = DataConfig(train=source, domain_column="kind"), {"url": "http://localhost:1", "shape": "nemo_gym"}
    upper, http = Upper(), HttpVerifier.model_validate(server | {"needs_reference": False})
    by_domain = ByDomainVerifier.model_validate({"verifiers": {"shout": http, "words": {"type": "exact"}}})
    for verifier in (upper, http, by_domain):
        found = load_prompts(data, "train", verifier)
        assert found["answer"] == [None, None]
        if verifier is not upper:
            whole = [json.loads(row)["columns"]["verifier_metadata"] for row in found[WHOLE_ROW]]
            assert whole == [{"tests": [0]}, {"tests": [1]}]
        checked = check_datasets(found, None, "answer", "kind", verifier)
        assert len(checked.train) == 2
        warn_of_unreadable(checked.references, verifier)
    words = ByDomainVerifier.model_validate({"verifiers": {"shout": {"type": "exact"}, "words": http}})
    for verifier in (HttpVerifier.model_validate(server), ExactVerifier(), words):
        with pytest.raises(DataError, match="no column 'answer'"):
            load_prompts(data, "train", verifier)


def test_an_auditor_that_takes_requests_has_whole_rows(tmp_path):
    source = jsonl(tmp_path, {"prompt": "a", "answer": 4, "level": {"x": 1}}, {"prompt": "b", "answer": "c"})
    (first, _) = load_prompts(
        DataConfig(train=source), "train", ExactVerifier(), auditor=HttpVerifier(url="http://localhost:1")
    ).to_list()
    assert first["answer"] == "4"  # as the verifier compares it
    assert json.loads(first[WHOLE_ROW]) == {"reference": 4, "columns": {"level": {"x": 1}}}
    assert WHOLE_ROW not in load(source)[0]


@pytest.mark.parametrize("rule", [GatedHero, AuditedHero])
def test_a_rule_that_earns_its_trust_needs_a_row_that_is_judged(tmp_path, rule):
    rows = [{"prompt": "a", "answer": ""}, {"prompt": "b", "answer": ""}]
    source, ranks = jsonl(tmp_path, *rows), rule(without_reference="rank")
    with pytest.raises(DataError, match=rf"rows.jsonl: no verifier applies to any row: .*{ranks.type}.*would train"):
        load_prompts(DataConfig(train=source), "train", ExactVerifier(), ranks)
    for others in (Hero(without_reference="rank"), RewardModelOnly()):
        assert len(load_prompts(DataConfig(train=source), "train", ExactVerifier(), others)) == 2
    assert len(load_prompts(DataConfig(train="-", eval=source), "eval", ExactVerifier(), ranks)) == 2
    judged = jsonl(tmp_path, *rows, {"prompt": "c", "answer": "1"}, name="judged.jsonl")
    assert len(load_prompts(DataConfig(train=judged), "train", ExactVerifier(), ranks)) == 3
