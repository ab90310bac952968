"""The one measure of how much may fail, against sums over all that was asked."""

from hypothesis import given
from hypothesis import strategies as st

from hero_rl.budget import FailureBudget

batches = st.lists(
    st.integers(1, 40).flatmap(lambda asked: st.tuples(st.integers(0, asked), st.just(asked))), min_size=1, max_size=30
)


@given(batches, st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(1, 100))
def test_the_share_is_that_of_the_last_ones(asked, share, window):
    budget = FailureBudget(share, window)
    for count in range(1, len(asked) + 1):
        over = budget.add(*asked[count - 1])
        starts = [start for start in range(count) if sum(n for _, n in asked[start:count]) >= window]
        last = asked[max(starts, default=0) : count]
        failed, total = (sum(column) for column in zip(*last, strict=True))
        assert (budget.failed, budget.asked) == (failed, total)
        assert over == (share < 1 and failed > share * max(total, window))
        assert budget.in_vain == (share < 1 and failed > 0 and all(lost == n for lost, n in asked[:count]))
