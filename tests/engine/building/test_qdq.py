import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from ansatz.core.precision import PRECISIONS
from ansatz.engine.building.export import exported
from ansatz.engine.building.graph import layers
from ansatz.engine.building.qdq import magnitudes, rewritten
from ansatz.engine.building.rows import as_tuple, relative_error
from ansatz.engine.building.runtime import function, session
from ansatz.engine.precision.layers import inputs_last
from ansatz.engine.precision.rounding import rounded

ROUNDED = [name for name, each in PRECISIONS.items() if each.weights is not None]


@pytest.fixture(scope="module")
def told_graph(told, told_inputs):
    return exported(told, told_inputs)


@pytest.fixture(scope="module")
def image_graph(convolutions, image):
    return exported(convolutions, image)


def in_runtime(graph, precision, mode, inputs):
    made = rewritten(graph, PRECISIONS[precision], mode, "onnxruntime", [inputs])
    return made, as_tuple(function(session(made.graph))(*inputs))


def with_rounded_weights(module, names, form):
    """The module with weights of some layers as torch's path rounds them."""
    state = {k: v.clone() for k, v in module.state_dict().items()}
    for name in names:
        weight = state[f"{name}.weight"]
        if weight.dim() == 4:
            o, i, h, w = weight.shape
            values = rounded(inputs_last(weight, form), form).values
            state[f"{name}.weight"] = values.reshape(o, h, w, i).permute(0, 3, 1, 2)
        else:
            state[f"{name}.weight"] = rounded(weight, form).values
    return torch.func.functional_call, state


@pytest.mark.parametrize("precision", ROUNDED)
def test_stored_weights_are_those_of_torch(told, told_graph, told_inputs, precision):
    form = PRECISIONS[precision].weights
    call, state = with_rounded_weights(told, ["qkv", "merge"], form)
    made, found = in_runtime(told_graph, precision, "storage", told_inputs)
    assert relative_error(found, as_tuple(call(told, state, told_inputs))) < 1e-5
    assert [r.name for r in made.rows if r.mode] == ["qkv", "merge"]
    row = next(r for r in made.rows if r.name == "qkv")
    weight = told.qkv.weight.detach()
    error = (rounded(weight, form).values - weight).norm() / weight.norm()
    assert row.error == pytest.approx(error.item(), rel=1e-5)
    assert row.bytes_before == 4 * weight.numel()


@pytest.mark.parametrize("precision", ["fp8-weights", "int8-weights", "nvfp4-weights", "mxfp8"])
def test_stored_kernels_are_those_of_torch(convolutions, image_graph, image, precision):
    call, state = with_rounded_weights(convolutions, ["inner"], PRECISIONS[precision].weights)
    _, found = in_runtime(image_graph, precision, "storage", image)
    assert relative_error(found, call(convolutions, state, image)) < 1e-5


def test_bytes_are_those_of_the_format(told, told_graph, told_inputs):
    for precision in ("fp8-weights", "int8-weights", "nvfp4-weights"):
        made = rewritten(told_graph, PRECISIONS[precision], "storage", "onnx", [told_inputs])
        row = next(r for r in made.rows if r.name == "qkv")
        assert row.bytes_after == PRECISIONS[precision].weights.bytes(96, 32)


def test_elements_of_four_bits_are_packed_low_half_first(told, told_graph, told_inputs):
    made = rewritten(told_graph, PRECISIONS["nvfp4-weights"], "storage", "onnx", [told_inputs])
    layer = next(e for e in layers(told_graph).values() if e.name == "merge")
    stored = next(i for i in made.graph.graph.initializer if i.name == f"{layer.weight}/q")
    found = numpy_helper.to_array(stored)
    assert found.dtype == ml_dtypes.float4_e2m1fn
    exact = rounded(told.merge.weight.detach(), PRECISIONS["nvfp4"].weights).elements.numpy()
    found = found.astype(np.float32)
    np.testing.assert_array_equal(found.T if layer.is_transposed else found, exact)


def test_what_flows_in_is_rounded_with_the_scale_of_the_largest_number(told_graph, told_inputs):
    made = rewritten(told_graph, PRECISIONS["fp8"], "emulated", "onnxruntime", [told_inputs])
    layer = next(e for e in layers(told_graph).values() if e.name == "qkv")
    scale = next(i for i in made.graph.graph.initializer if i.name == f"{layer.source}/scale")
    peaks = magnitudes(told_graph, [layer.source], [told_inputs, [3 * t for t in told_inputs]])
    one = magnitudes(told_graph, [layer.source], [told_inputs])[layer.source]
    assert peaks[layer.source] >= one
    assert numpy_helper.to_array(scale) == pytest.approx(one / 448)


@pytest.mark.parametrize(
    ("precision", "mode", "least", "most"),
    [
        ("bf16", "emulated", 1e-4, 2e-2),
        ("fp16", "emulated", 1e-5, 2e-3),
        ("fp8", "emulated", 5e-3, 0.1),
        ("int8", "native", 5e-4, 0.05),
    ],
)
def test_errors_are_of_the_size_of_the_format(
    told, told_graph, told_inputs, precision, mode, least, most
):
    exact = told(*told_inputs).detach()
    _, found = in_runtime(told_graph, precision, mode, told_inputs)
    assert least < relative_error(found, (exact,)) < most


def test_bf16_rounds_inputs_and_weights_of_a_product(told_inputs):
    torch.manual_seed(0)
    line = torch.nn.Linear(8, 8)
    x = told_inputs[0]
    _, (found,) = in_runtime(exported(line, (x,)), "bf16", "emulated", (x,))
    weight, bias = line.weight.bfloat16().float(), line.bias
    exact = torch.nn.functional.linear(x.bfloat16().float(), weight, bias).detach()
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-6)


def test_a_source_graph_stays_as_it_is(told_graph, told_inputs):
    before = told_graph.SerializeToString(deterministic=True)
    for name in ROUNDED:
        rewritten(told_graph, PRECISIONS[name], "storage", "onnx", [told_inputs])
    assert told_graph.SerializeToString(deterministic=True) == before


def test_standard_graphs_are_valid_by_onnx_itself(told_graph, told_inputs):
    for name in ("bf16", "fp8", "int8", "nvfp4-weights"):
        made = rewritten(told_graph, PRECISIONS[name], "native", "onnx", [told_inputs])
        onnx.checker.check_model(made.graph, full_check=True)


def test_integer_products_are_fused(told_graph, told_inputs, tmp_path):
    import onnxruntime

    made = rewritten(told_graph, PRECISIONS["int8"], "native", "onnxruntime", [told_inputs])
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # as `session` does
    onnxruntime.InferenceSession(
        made.graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    operators = {n.op_type for n in onnx.load(tmp_path / "fused.onnx").graph.node}
    assert operators & {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
    assert "MatMulInteger" not in operators
