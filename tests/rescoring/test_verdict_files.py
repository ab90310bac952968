import json
import math

import pytest

from hero_rl.errors import ConfigError, DataError
from hero_rl.rescoring.quality import Share, measure_quality
from hero_rl.rescoring.verdicts import PairColumns, verify_file
from hero_rl.verifiers import ExactVerifier, MathVerifier, Reason, Verdict


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Counting:
    """Counts the rows it is asked about; stops the process's work after some of them."""

    def __init__(self, stop_after=math.inf):
        self.rows = 0
        self.stop_after = stop_after

    def verify(self, reference, completion):
        if self.rows >= self.stop_after:
            raise KeyboardInterrupt
        self.rows += 1
        return ExactVerifier().verify(reference, completion)


def test_verdicts_labels_and_output(tmp_path):
    rows = [
        {"gold": "4", "response": "4", "label": 1, "kept": "x"},
        {"gold": 5, "response": "4", "label": True},
        {"gold": "", "response": "4", "label": 0},
    ]
    found = verify_file(write(tmp_path / "a.jsonl", rows), ExactVerifier(), PairColumns(), tmp_path / "out.jsonl")
    assert [verdict.reason for verdict in found.verdicts] == [
        Reason.MATCHED_EXACTLY,
        Reason.MISMATCH,
        Reason.REFERENCE_UNREADABLE,
    ]
    assert found.quality.recall == Share(1, 2)
    assert found.quality.precision == Share(1, 1)
    assert found.quality.false_positive_rate == Share(0, 1)
    assert found.quality.abstained == Share(1, 3)
    assert found.disagreements == [1, 2]
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert written[0] == rows[0] | {"verdict": 1, "verdict_reason": "matched_exactly", "verdict_answer": "4"}
    assert written[2]["verdict"] is None
    assert not list(tmp_path.glob("*.partial*"))


class Words:
    """The share of the words of a reference that a completion has; of a domain, none."""

    def verify(self, request):
        found = [word for word in request.reference["words"] if word in request.completion]
        share = len(found) / len(request.reference["words"])
        return Verdict(share if request.columns["level"] == 1 and request.domain == "chat" else 0.0, "words")


def test_a_verifier_that_takes_requests_gets_the_row_as_it_is(tmp_path):
    rows = [
        {"reference": {"words": ["red", "door"]}, "completion": "a red car", "level": 1, "domain": "chat"},
        {"reference": {"words": ["red"]}, "completion": "red", "level": 2, "domain": "chat"},
        {"reference": {"words": ["red"]}, "completion": "red", "level": 1},
    ]
    found = verify_file(write(tmp_path / "a.jsonl", rows), Words(), PairColumns())
    assert [verdict.value for verdict in found.verdicts] == [0.5, 0, 0]
    assert found.references[1] == '{"words": ["red"]}'
    with pytest.raises(DataError, match=r"a\.jsonl:1: 'reference' must be text"):
        verify_file(tmp_path / "a.jsonl", ExactVerifier(), PairColumns())


def test_a_row_tells_that_its_thought_was_cut_off(tmp_path):
    said = "Maybe \\boxed{7}. Wait, let me check"
    rows = [
        {"gold": "7", "response": said, "prompt": "<|Assistant|><think>"},
        {"gold": "7", "response": said, "finish_reason": "length"},
        {"gold": "7", "response": said, "prompt": "3+4?", "finish_reason": "stop"},
    ]
    found = verify_file(write(tmp_path / "a.jsonl", rows), MathVerifier(), PairColumns(), tmp_path / "out.jsonl")
    assert [verdict.value for verdict in found.verdicts] == [0.0, 0.0, 1.0]
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["response"] == said


def test_a_bare_answer_is_put_into_a_box(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"gold": "4", "answer": "4"}])
    marked = ExactVerifier(marker="\\boxed{")
    assert verify_file(path, marked, PairColumns()).verdicts[0].answer == "4}"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"response": "4"}], r"a.jsonl:1: none of the columns 'reference', 'gold'"),
        ([{"gold": "4", "response": "4"}, {"gold": "4", "response": None}], r"a.jsonl:2: 'response' must be text"),
        ([{"gold": "4", "response": "4", "label": 2}], r"a.jsonl:1: 'label' must be 0, 1, true or false, not 2"),
        (
            [{"gold": "4", "response": "4", "label": 1}, {"gold": "4", "response": "4"}],
            r"a.jsonl:2: no column 'label'",
        ),
        ([], "no rows"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path, rows, said):
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=said):
        verify_file(path, ExactVerifier(), PairColumns(), tmp_path / "out.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"] or rows == []
    assert not (tmp_path / "out.jsonl").exists()


def test_an_interrupted_call_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("hero_rl.rescoring.verdicts._AT_A_TIME", 10)
    path = write(tmp_path / "a.jsonl", [{"gold": str(n % 3), "response": "1", "label": 1} for n in range(35)])
    whole = verify_file(path, ExactVerifier(), PairColumns(), tmp_path / "whole.jsonl")
    out = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        verify_file(path, Counting(stop_after=25), PairColumns(), out)
    assert not out.exists()
    partial = tmp_path / "out.jsonl.partial"
    partial.write_bytes(partial.read_bytes() + b'{"half a li')  # as a kill in the middle of a write leaves it
    again = Counting()
    found = verify_file(path, again, PairColumns(), out)
    assert again.rows == 15  # two chunks of ten were there
    assert [v.value for v in found.verdicts] == [v.value for v in whole.verdicts]
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "out.jsonl", "whole.jsonl"]


def test_other_settings_are_refused_until_told_to_begin_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("hero_rl.rescoring.verdicts._AT_A_TIME", 10)
    path = write(tmp_path / "a.jsonl", [{"gold": "1", "response": "1"} for _ in range(30)])
    with pytest.raises(KeyboardInterrupt):
        verify_file(path, Counting(stop_after=25), PairColumns(), tmp_path / "out.jsonl", settings={"type": "a"})
    again = Counting()
    with pytest.raises(ConfigError, match="another settings; give the same, or begin anew with --restart"):
        verify_file(path, again, PairColumns(), tmp_path / "out.jsonl", settings={"type": "b"})
    assert again.rows == 0
    verify_file(path, again, PairColumns(), tmp_path / "out.jsonl", settings={"type": "b"}, restart=True)
    assert again.rows == 30


def test_shares():
    verdicts = [Verdict.of(reason) for reason in (Reason.MATCHED_EXACTLY, Reason.MISMATCH, Reason.TIMED_OUT)]
    quality = measure_quality(verdicts, [True, False, False])
    assert quality.recall.value == 1.0
    assert quality.false_positive_rate.value == 0.0
    # Wilson's interval for 1 of 1 and for 0 of 2, at z = 1.959964: 1/(1+z^2) and z^2/(2+z^2).
    assert quality.recall.interval == pytest.approx((0.20655, 1.0), abs=1e-5)
    assert quality.false_positive_rate.interval == pytest.approx((0.0, 0.65762), abs=1e-5)
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    with pytest.raises(ValueError, match="argument 2 is"):
        measure_quality(verdicts, [True])
