import time

import pytest
import torch

from ansatz.core.recipe import Loss, TrainConfig
from ansatz.trainer.distributed import ALONE
from ansatz.trainer.meters import Meters


def test_a_reading_counts_items_and_shares_of_time():
    meters = Meters(TrainConfig(log_every=4), ALONE)
    for number in range(1, 5):
        time.sleep(0.01)
        terms = {"half": torch.tensor(number / 2)}
        # Batches differ in size, as packed sequences do.
        batches = [{"x": torch.zeros(6, 2)}, {"x": torch.zeros(number, 2)}]
        meters.stepped(number, Loss(torch.tensor(float(number)), terms), 0.005, batches)
    reading = meters.read(4, 0.1)

    assert (reading["step"], reading["loss"], reading["half"]) == (4, 2.5, 1.25)
    elapsed = (4 * 6 + 1 + 2 + 3 + 4) / reading["items_per_second"]
    assert elapsed >= 0.04
    assert reading["data_share"] == pytest.approx(0.02 / elapsed)


def test_a_reading_begins_a_new_interval():
    meters = Meters(TrainConfig(log_every=2), ALONE)
    for number in (1, 2):
        meters.stepped(number, Loss(torch.tensor(8.0)), 0.0, [])
    meters.read(2, 0.1)
    meters.stepped(3, Loss(torch.tensor(2.0, dtype=torch.float64)), 0.0, [])
    assert meters.read(3, 0.1)["loss"] == 2.0


def test_a_caller_that_never_reads_keeps_only_the_last_steps():
    meters = Meters(TrainConfig(log_every=3), ALONE)
    for number in range(1, 100):
        meters.stepped(number, Loss(torch.tensor(float(number))), 0.0, [])
    assert meters.check() == {"loss": 98.0}


def test_terms_of_another_width_and_steps_without_them_are_averaged():
    meters = Meters(TrainConfig(log_every=3), ALONE)
    meters.stepped(1, Loss(torch.tensor(1.0)), 0.0, [])
    meters.stepped(
        2, Loss(torch.tensor(2.0), {"a": torch.tensor(3.0, dtype=torch.float64)}), 0.0, []
    )
    assert meters.check() == {"loss": 1.5, "a": 3.0}


def test_the_first_step_that_is_not_finite_is_named():
    meters = Meters(TrainConfig(log_every=5), ALONE)
    for number, value in enumerate((1.0, float("inf"), float("nan")), start=40):
        meters.stepped(number, Loss(torch.tensor(value)), 0.0, [])
    with pytest.raises(ValueError, match="loss of step 41 is inf"):
        meters.check()
