import pytest
import torch

from ansatz.core.precision import PRECISIONS, Device, mode
from ansatz.engine.building.build import build
from ansatz.engine.building.export import exported
from ansatz.engine.building.qdq import rewritten
from ansatz.engine.building.tensorrt import TARGETS, EngineRefusalError, capability, function, plan

pytest.importorskip("tensorrt_rtx")
RTX = "tensorrt-rtx"


@pytest.fixture(scope="module")
def graph(told, told_inputs):
    return exported(told, told_inputs)


def built(graph, inputs, precision, target):
    found = mode(PRECISIONS[precision], Device("cuda", capability(target)))
    made = rewritten(graph, PRECISIONS[precision], found, "onnx", [inputs])
    return made, plan(made.graph, RTX, target, inputs)


@pytest.mark.parametrize(
    "precision", ["fp32", "bf16", "fp16", "fp8", "fp8-weights", "int8", "nvfp4", "mxfp8"]
)
def test_engines_for_blackwell_are_built_without_a_gpu(graph, told_inputs, precision):
    made, engine = built(graph, told_inputs, precision, "SM120")
    assert len(engine) > 10_000
    rounded = [row for row in made.rows if row.mode]
    if PRECISIONS[precision].activations:
        assert [(row.name, row.mode) for row in rounded] == [("qkv", "native"), ("merge", "native")]


@pytest.mark.parametrize("target", [t for t in TARGETS if t != "SM75"])
def test_every_target_has_bf16(graph, told_inputs, target):
    _, engine = built(graph, told_inputs, "bf16", target)
    assert len(engine) > 10_000


def test_turing_has_no_products_in_float32(graph, told_inputs):
    with pytest.raises(EngineRefusalError, match=r"(?s)SM75.*FP32 GEMM is not supported"):
        built(graph, told_inputs, "fp32", "SM75")


def test_ada_refuses_four_bits_and_says_why(graph, told_inputs):
    with pytest.raises(EngineRefusalError, match=r"(?s)SM89.*fp4_e2m1"):
        built(graph, told_inputs, "nvfp4-weights", "SM89")


def test_engines_with_an_axis_that_may_change(told, told_inputs):
    graph = exported(told, told_inputs, dynamic=[{1: "tokens"}, None])
    _, engine = built(graph, told_inputs, "fp8", "SM120")
    assert len(engine) > 10_000


@pytest.mark.usefixtures("exports_once")
def test_a_built_engine_is_taken_from_the_cache(told, told_inputs, tmp_path):
    def engine(precision="fp8"):
        return build(told, told_inputs, precision, RTX, target="SM120", cache=tmp_path)

    first, again, other = engine(), engine(), engine("int8")
    assert (first.report.is_cached, again.report.is_cached) == (False, True)
    assert not other.report.is_cached
    assert first.report.bytes == again.report.bytes
    assert 5e-3 < first.report.error < 0.1
    assert any("not run" in note for note in first.report.notes)


@pytest.mark.usefixtures("exports_once")
def test_a_broken_engine_is_built_again(told, told_inputs, tmp_path):
    def engine():
        return build(told, told_inputs, "bf16", RTX, target="SM89", cache=tmp_path)

    whole = engine()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[: whole.report.bytes // 2])
    assert not engine().report.is_cached
    assert engine().report.is_cached


@pytest.mark.usefixtures("exports_once")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_engine_for_another_machine_is_not_called_here(told, told_inputs):
    engine = build(told, told_inputs, "bf16", RTX, target="SM120")
    assert engine.report.median_seconds is None
    with pytest.raises(RuntimeError, match="for SM120, and there is none here"):
        engine(*told_inputs)
    with pytest.raises(ValueError, match="no GPU here"):
        build(told, told_inputs, "bf16", RTX)


@pytest.mark.usefixtures("exports_once")
def test_unknown_targets_and_fp64_are_refused(told, told_inputs):
    with pytest.raises(ValueError, match="did you mean 'SM12"):
        build(told, told_inputs, "bf16", RTX, target="SM12")
    with pytest.raises(ValueError, match="has no fp64"):
        build(told, told_inputs, "fp64", RTX, target="SM120")


@pytest.mark.usefixtures("exports_once")
def test_tensorrt_itself_is_asked_for_by_name(told, told_inputs):
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"needs tensorrt.*ansatz-ai\[tensorrt\]"):
            build(told, told_inputs, "bf16", "tensorrt", target="SM120")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp8"])
def test_an_engine_runs_where_its_gpu_is(told, told_inputs, precision):
    engine = build(told, told_inputs, precision, RTX)
    most = {"fp32": 1e-5, "bf16": 2e-2, "fp8": 0.1}[precision]
    assert engine.report.error < most
    assert engine(*told_inputs).device.type == "cuda"


@pytest.mark.gpu
def test_bytes_that_are_no_engine_are_refused():
    with pytest.raises(EngineRefusalError):
        function(b"no engine" * 1000, RTX)
