"""Instructions that can be checked, by the real package."""

import json
import math

import pytest

from hero_rl.verifiers import InstructionVerifier, Processes, Reason, Request, in_processes

pytest.importorskip("if_verifiable")

TWO = {
    "instruction_id_list": ["punctuation:no_comma", "keywords:existence"],
    "kwargs": [{"keywords": None}, {"keywords": ["river"]}],
}


@pytest.mark.parametrize(
    ("completion", "share", "reason"),
    [
        ("A river runs", 1.0, Reason.MATCHED_EXACTLY),
        ("A river, running", 0.5, "1 of 2 instructions"),
        ("A brook, running", 0.0, Reason.MISMATCH),
        ("", 0.0, Reason.NO_ANSWER),
        ("<think>a river", 0.0, Reason.NO_ANSWER),
        ("<think>first, a thought</think>A river runs", 1.0, Reason.MATCHED_EXACTLY),
    ],
)
def test_the_share_of_instructions_that_is_followed(completion, share, reason):
    for reference in (TWO, json.dumps(TWO)):
        said = InstructionVerifier().verify(Request(reference, completion))
        assert (said.value, said.reason) == (share, reason)


def test_without_partial_credit_all_count_or_none():
    assert InstructionVerifier(partial=False).verify(Request(TWO, "A river, running")).value == 0
    assert InstructionVerifier(partial=False).verify(Request(TWO, "A river runs")).value == 1


def test_loose_takes_off_a_first_line():
    request = Request({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, "Sure, here:\nA river runs")
    assert InstructionVerifier().verify(request).value == 0
    assert InstructionVerifier(strict=False).verify(request).value == 1


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "A river",
        None,
        {},
        {"instruction_id_list": []},
        {"instruction_id_list": ["no:such"], "kwargs": [{}]},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"keywords": ["a"]}]},
        {"instruction_id_list": ["keywords:existence"], "kwargs": [{}]},  # the package would draw words by lot
        {"instruction_id_list": ["punctuation:no_comma"] * 100, "kwargs": None},
    ],
)
def test_instructions_that_cannot_be_read_are_no_verdict(reference):
    said = InstructionVerifier().verify(Request(reference, "A river runs"))
    assert math.isnan(said.value) and said.reason is Reason.REFERENCE_UNREADABLE


def test_ifbench():
    reference = {"instruction_id_list": ["format:no_whitespace"], "kwargs": [{}]}
    verifier = InstructionVerifier(benchmark="ifbench")
    assert [verifier.verify(Request(reference, text)).value for text in ("river", "a river")] == [1, 0]


def test_in_a_process_the_package_is_loaded_before_any_check_is_timed():
    with in_processes(InstructionVerifier(), Processes(workers=1)) as running:
        said = running.verify_batch([Request(TWO, "A river runs"), Request(TWO, "A river, running")])
    assert [verdict.value for verdict in said] == [1.0, 0.5]
