import time

import pytest
import torch

from ansatz.timing import clock

CPU = torch.device("cpu")


def test_a_call_is_warmed_up_once_and_repeated(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    calls = []
    timing = clock.timed(lambda: calls.append(1), CPU, repeats=3)
    assert len(calls) == 4
    assert timing == clock.Timing(least=1.0, median=2.0, repeats=3, unit="CPU s")


def test_sleeping_costs_nothing_on_a_processor():
    assert clock.timed(lambda: time.sleep(0.02), CPU, repeats=1).least < 0.01


@pytest.mark.gpu
def test_a_gpu_is_waited_for():
    gpu = torch.device("cuda")
    x = torch.randn(4096, 4096, device=gpu)
    timing = clock.timed(lambda: x @ x, gpu)
    assert timing.unit == "s"
    assert timing.least > 2 * 4096**3 / 2e15  # nobody computes 2000 Tflop/s in float32
