"""Micro-batches: every row once, within the budget, and fewer at a time where memory runs out."""

import logging
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_local import CHATS, ZERO, reward_model
from tiny_reward_models import TEMPLATE

from hero_rl.reward_models.batching import MicroBatches, packed, padded

CPU_OUT = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
ERRORS = [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU_OUT), RuntimeError("not enough memory: 1 B")]


class Device:
    """Stands for a model: scores a sequence by its sum, and fails above a number of tokens with padding."""

    def __init__(self, capacity=10**9, error=None):
        self.capacity = capacity
        self.error = error or ERRORS[0]
        self.batches = []

    def __call__(self, sequences):
        lengths = [len(sequence) for sequence in sequences]
        self.batches.append(lengths)
        if max(lengths) * len(lengths) > self.capacity:
            raise self.error
        return torch.tensor([float(sum(sequence)) for sequence in sequences])


def sequences(lengths):
    return [[row + 1] * length for row, length in enumerate(lengths)]


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 200), st.booleans())
def test_every_row_is_scored_once_within_the_budget(lengths, token_budget, pads):
    device = Device()
    scores = MicroBatches(device, token_budget, pads=pads).scores(sequences(lengths))
    assert scores.nan_to_num().tolist() == [(row + 1) * length for row, length in enumerate(lengths)]
    assert scores.isnan().tolist() == [length == 0 for length in lengths]
    assert sorted(n for batch in device.batches for n in batch) == sorted(n for n in lengths if n)
    for batch in device.batches:
        assert len(batch) == 1 or (max(batch) * len(batch) if pads else sum(batch)) <= token_budget
    longest = [max(batch) for batch in device.batches]
    assert longest == sorted(longest, reverse=True)


@pytest.mark.parametrize(("pads", "batches"), [(True, [[5, 5], [2, 2, 1]]), (False, [[5, 5], [2, 2, 1]])])
def test_batches_are_filled(pads, batches):
    device = Device()
    MicroBatches(device, 10, pads=pads).scores(sequences([2, 5, 0, 2, 5, 1]))
    assert device.batches == batches


def test_without_padding_more_fits():
    device = Device()
    MicroBatches(device, 10, pads=False).scores(sequences([6, 2, 1, 1]))
    assert device.batches == [[6, 2, 1, 1]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 200), st.booleans())
def test_what_fits_alone_is_scored_however_little_memory_there_is(lengths, capacity, pads):
    device = Device(capacity)
    batches = MicroBatches(device, 400, pads=pads)
    scores = batches.scores(sequences(lengths))
    assert scores.isnan().tolist() == [length > capacity for length in lengths]
    assert batches.counters["unfit"] == sum(length > capacity for length in lengths)
    known = [(row + 1) * length for row, length in enumerate(lengths) if length <= capacity]
    assert scores[~scores.isnan()].tolist() == known


@pytest.mark.parametrize("error", ERRORS)
def test_the_budget_is_halved_for_good(error, caplog):
    device = Device(capacity=100, error=error)
    batches = MicroBatches(device, 400)
    with caplog.at_level(logging.WARNING):
        batches.scores(sequences([20] * 20))
        assert batches.token_budget == 100
        assert batches.counters == {"out_of_memory": 2, "unfit": 0}
        batches.scores(sequences([20] * 20))
    assert batches.counters["out_of_memory"] == 2
    assert len(caplog.records) == 1


def test_one_that_does_not_fit_leaves_the_budget_for_the_others():
    device = Device(capacity=100)
    batches = MicroBatches(device, 90)
    assert batches.scores(sequences([300, 30, 30, 30])).isnan().tolist() == [True, False, False, False]
    assert device.batches == [[300], [30, 30, 30]]
    assert batches.token_budget == 90


def test_other_errors_are_not_swallowed():
    with pytest.raises(RuntimeError, match="shapes"):
        MicroBatches(Device(0, RuntimeError("shapes do not match")), 10).scores([[1]])


def test_what_a_failed_pass_held_is_gone_before_the_next():
    held = []

    class Big:
        pass

    def forward(sequences):
        assert not any(reference() for reference in held)
        big = Big()
        held.append(weakref.ref(big))
        if len(sequences) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return torch.zeros(1)

    assert not MicroBatches(forward, 100).scores([[1], [2], [3]]).isnan().any()


def limited(judge, capacity):
    """The reward model on a device that holds `capacity` tokens at a time."""

    def refuse(_, inputs, kwargs):
        if kwargs["input_ids"].numel() > capacity:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    judge.model.register_forward_pre_hook(refuse, with_kwargs=True)
    return judge


def test_scores_are_the_same_in_little_memory():
    judge = limited(reward_model(TEMPLATE), 200)
    torch.testing.assert_close(judge.score(CHATS), reward_model(TEMPLATE).score(CHATS), atol=1e-5, rtol=0)
    assert judge.counters["out_of_memory"] > 0
    assert judge.token_budget <= 200
    assert judge.counters == ZERO | {"out_of_memory": judge.counters["out_of_memory"]}


def test_a_conversation_too_long_for_memory_is_missing_and_counted():
    judge = limited(reward_model(TEMPLATE), 80)
    scores = judge.score(CHATS)
    unfit = judge.counters["unfit"]
    assert 0 < unfit < len(CHATS)
    assert scores.isnan().sum() == unfit
    assert judge.counters["missing"] == unfit
    assert judge.counters["nonfinite"] == 0


@pytest.mark.parametrize(("side", "ids", "mask"), [("right", [12, 7], [1, 0]), ("left", [7, 12], [0, 1])])
def test_golden_padding(side, ids, mask):
    rows, real = padded([[10, 11], [12]], 7, side)
    assert rows.tolist() == [[10, 11], ids]
    assert real.tolist() == [[1, 1], mask]


def test_golden_packing():
    inputs = packed([[10, 11, 12], [13], [14, 15]], torch.device("cpu"))
    tensors = {name: value.tolist() for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    assert tensors == {
        "input_ids": [[10, 11, 12, 13, 14, 15]],
        "position_ids": [[0, 1, 2, 0, 0, 1]],
        "cu_seq_lens_q": [0, 3, 4, 6],
        "cu_seq_lens_k": [0, 3, 4, 6],
    }
    assert inputs["cu_seq_lens_q"].dtype == torch.int32
    assert inputs["max_length_q"] == inputs["max_length_k"] == 3
