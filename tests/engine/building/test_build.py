import pytest
import torch
from torch import nn

from ansatz.core.precision import PRECISIONS
from ansatz.engine.building import build
from ansatz.engine.building.capture import captured
from ansatz.engine.building.rows import relative_error
from ansatz.engine.building.runtime import RuntimeRefusalError

CPU = ("eager", "onnxruntime")


@pytest.mark.parametrize("backend", [*CPU, "compile"])
def test_every_backend_has_the_signature_and_the_answers_of_the_module(
    convolutions, image, backend
):
    engine = build(convolutions, image, backend=backend)
    exact = convolutions(*image)
    found = engine(*image)
    assert isinstance(found, tuple)
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-5)
    assert engine.report.error < 1e-5
    assert engine.report.median_seconds > 0
    assert engine.report.target == "cpu"


# Of formats and not of the code: a bit more is an error of 2^-24, 2^-8, 2^-11, 2^-4, 2^-7, 2^-2.
BOUNDS = {"fp64": 1e-5, "fp32": 1e-5, "tf32": 1e-5, "bf16": 0.02, "fp16": 0.003}
BOUNDS |= {"fp8": 0.1, "fp8-weights": 0.08, "int8": 0.05, "int8-weights": 0.03}
BOUNDS |= {"nvfp4": 0.4, "nvfp4-weights": 0.3, "mxfp8": 0.1, "mxfp4": 0.4}


@pytest.mark.usefixtures("exports_once")
@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_on_a_processor(told, told_inputs, precision, backend):
    if (precision, backend) == ("fp64", "onnxruntime"):
        pytest.skip("has no kernels for it: the next test")
    engine = build(told, told_inputs, precision, backend, repeats=1)
    report = engine.report
    assert report.error < BOUNDS[precision]
    rounded = [row for row in report.layers if row.mode]
    assert bool(rounded) == (PRECISIONS[precision].weights is not None)
    if rounded:
        assert report.notes
        assert {"qkv", "merge"} <= {row.name for row in rounded}
        assert all(row.error > 0 for row in rounded)


def test_a_runtime_says_what_it_lacks(told, told_inputs):
    with pytest.raises(RuntimeRefusalError, match="Could not find an implementation"):
        build(told, told_inputs, "fp64", "onnxruntime")


@pytest.mark.usefixtures("exports_once")
def test_a_precision_that_runtimes_lack_is_said_to_be_emulated(told, told_inputs):
    for precision in ("bf16", "fp16", "tf32", "fp8"):
        report = build(told, told_inputs, precision, "onnxruntime", repeats=0).report
        assert "emulated" in report.notes[0]
    assert build(told, told_inputs, "fp32", "onnxruntime", repeats=0).report.notes == ()


@pytest.mark.usefixtures("exports_once")
def test_the_module_stays_as_it_is(told, told_inputs):
    before = {k: v.clone() for k, v in told.state_dict().items()}
    for backend in CPU:
        build(told, told_inputs, "nvfp4", backend, repeats=0)
    assert told.state_dict().keys() == before.keys()
    assert all(torch.equal(v, before[k]) for k, v in told.state_dict().items())


def test_calibration_saves_large_numbers_from_being_cut():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, 32)).eval()
    usual = torch.randn(4, 8)
    large = 50 * usual
    cut = build(module, [usual], "fp8", "onnxruntime", repeats=0)
    whole = build(module, [usual], "fp8", "onnxruntime", calibration=[[large]], repeats=0)
    fixed = build(module, [usual], "fp8", "eager", calibration=[[large]], repeats=0)
    exact = module(large).detach()
    assert relative_error([cut(large)], [exact]) > 0.5
    assert relative_error([whole(large)], [exact]) < 0.05
    torch.testing.assert_close(fixed(large), whole(large), rtol=0.05, atol=0.05 * exact.std())


def test_unknown_names_are_refused(told, told_inputs):
    with pytest.raises(ValueError, match="did you mean 'onnxruntime'"):
        build(told, told_inputs, backend="onnxruntme")
    with pytest.raises(ValueError, match="did you mean 'nvfp4'"):
        build(told, told_inputs, "nvfp")


@pytest.mark.usefixtures("exports_once")
def test_a_wrong_number_of_inputs_is_refused(told, told_inputs):
    engine = build(told, told_inputs, backend="onnxruntime", repeats=0)
    with pytest.raises(ValueError, match="takes 2 tensors"):
        engine(told_inputs[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_recording_needs_a_gpu(told, told_inputs):
    with pytest.raises(ValueError, match="torch sees none"):
        build(told, told_inputs, backend="cudagraph")


@pytest.mark.gpu
def test_a_recorded_pass_gives_what_the_plain_one_gives(told, told_inputs):
    network = told.cuda()
    inputs = tuple(t.cuda() for t in told_inputs)
    replay = captured(network, inputs)
    other = tuple(2 * t for t in inputs)
    with torch.no_grad():
        first, second, exact = replay(*inputs), replay(*other), network(*other)
    torch.testing.assert_close(second, exact)
    assert not torch.equal(first, second)  # a copy, which the second replay left alone
    with pytest.raises(ValueError, match="recorded with"):
        replay(inputs[0][:1], inputs[1])
    told.cpu()
