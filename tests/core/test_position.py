import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansatz.core.recipe import Position


def batches(seed, steps, samples, batch_size, micros=1, ranks=1):
    """The indices of each batch, in the order of steps, micro-steps and ranks."""
    return [
        Position(seed, step, micro, micros, rank, ranks).indices(samples, batch_size)
        for step in range(steps)
        for micro in range(micros)
        for rank in range(ranks)
    ]


@given(
    samples=st.integers(1, 20),
    batch_size=st.integers(1, 7),
    micros=st.integers(1, 3),
    ranks=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_ranks_and_micro_steps_together_see_every_sample_once_per_epoch(
    samples, batch_size, micros, ranks, seed
):
    steps = -(-3 * samples // (batch_size * micros * ranks))
    seen = np.concatenate(batches(seed, steps, samples, batch_size, micros, ranks))
    for epoch in range(3):
        chosen = seen[epoch * samples : (epoch + 1) * samples]
        assert sorted(chosen.tolist()) == list(range(samples))


def test_the_same_data_comes_in_the_same_order_on_any_number_of_processes():
    alone = np.concatenate(batches(3, 6, 10, 4))
    for micros, ranks in ((2, 1), (1, 2), (2, 2)):
        split = batches(3, 6, 10, 4 // (micros * ranks), micros, ranks)
        np.testing.assert_array_equal(np.concatenate(split), alone)


def test_epochs_are_shuffled_each_in_its_own_way():
    orders = {tuple(Position(0, step).indices(50, 50).tolist()) for step in range(4)}
    assert len(orders) == 4
    assert Position(0, 0).indices(50, 50).tolist() != Position(1, 0).indices(50, 50).tolist()


def test_a_position_alone_decides_about_its_random_numbers():
    position = Position(seed=5, step=3, micro=1, micros=2, rank=1, ranks=2)
    again = Position(seed=5, step=3, micro=1, micros=2, rank=1, ranks=2)
    assert position.rng().random(4).tolist() == again.rng().random(4).tolist()


@pytest.mark.parametrize(
    "other", [Position(6, 3), Position(5, 4), Position(5, 3, 1, 2), Position(5, 3, 0, 1, 1, 2)]
)
def test_every_other_position_has_other_random_numbers(other):
    assert other.rng().random() != Position(5, 3).rng().random()
