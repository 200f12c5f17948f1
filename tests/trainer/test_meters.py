import time

import pytest
import sine
import torch

from ansatz.core.recipe import Loss, TrainConfig
from ansatz.trainer.distributed import ALONE
from ansatz.trainer.loop import fit
from ansatz.trainer.meters import Meters, Work
from ansatz.trainer.peaks import peak_of
from ansatz.trainer.precision import Arithmetic


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


def test_work_is_shared_by_time_and_padding_is_no_item():
    def work(batch):
        return Work(operations=3e6 * len(batch["x"]), idle=int((batch["x"] == 0).sum()))

    meters = Meters(TrainConfig(log_every=2), ALONE, work, peak=2e9)
    for number, idle in ((1, 2), (2, 1)):
        batch = {"x": torch.tensor([0.0] * idle + [1.0] * (5 - idle))}
        meters.stepped(number, Loss(torch.tensor(1.0)), 0.0, [batch, {"x": torch.ones(10)}])
    time.sleep(0.01)
    reading = meters.read(2, 0.1)

    assert reading["padding"] == pytest.approx(3 / 30)
    elapsed = 27 / reading["items_per_second"]
    assert elapsed >= 0.01
    assert reading["teraflops"] == pytest.approx(9e7 / elapsed / 1e12)
    assert reading["mfu"] == pytest.approx(9e7 / elapsed / 2e9)
    meters.stepped(3, Loss(torch.tensor(1.0)), 0.0, [{"x": torch.ones(10)}])
    assert meters.read(3, 0.1)["padding"] == 0


class Estimated:
    """An objective that tells the work of a batch: an operation for each number of x."""

    def __call__(self, model, batch, rng):
        return sine.objective(model, batch, rng)

    def work(self, model, batch):
        assert isinstance(model, torch.nn.Sequential)
        return Work(float(batch["x"].numel()))


def test_only_subjects_that_tell_the_work_have_its_meters():
    config = TrainConfig(steps=2, warmup_steps=1, log_every=2, accumulate=2)
    every = {"step", "loss", "worst", "grad_norm", "learning_rate", "items_per_second"}
    every |= {"data_share"}
    for objective, more in ((sine.objective, set()), (Estimated(), {"padding", "teraflops"})):
        *_, last = fit(sine.network(), objective, sine.batches(4), config, device=sine.CPU)
        assert last.reading.keys() == every | more
    per_item = last.reading["teraflops"] * 1e12 / last.reading["items_per_second"]
    assert per_item == pytest.approx(2)


@pytest.mark.parametrize(
    ("device", "halves", "tf32", "dtype", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", torch.bfloat16, False, torch.float32, 989.4e12),
        ("NVIDIA H200", torch.float16, False, torch.float32, 989.4e12),
        ("NVIDIA H200", None, True, torch.float32, 494.7e12),
        ("NVIDIA A100-SXM4-80GB", torch.bfloat16, False, torch.float32, 312e12),
        ("NVIDIA A100-SXM4-80GB", None, False, torch.float32, 19.5e12),
        ("NVIDIA A100 80GB PCIe", None, False, torch.float64, 19.5e12),
        ("NVIDIA H100 PCIe", torch.bfloat16, False, torch.float32, None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", torch.bfloat16, False, torch.float32, None),
    ],
)
def test_peaks_are_of_whole_known_devices_in_their_arithmetic(
    device, halves, tf32, dtype, expected
):
    arithmetic = Arithmetic(torch.device("cuda"), halves, tf32, "", dtype)
    assert peak_of(device, arithmetic) == expected
