from copy import deepcopy

import pytest
import torch
from torch import nn

from ansatz.core.precision import PRECISIONS, Device
from ansatz.engine.precision.applying import compute_of, quantize, rounded_layer, total_bytes
from ansatz.engine.precision.layers import QuantizedLinear
from ansatz.engine.precision.roles import playing, roles

PLAIN = Device("cpu", flags=frozenset({"avx512_bf16"}))
VNNI = Device("cpu", flags=frozenset({"avx512_bf16", "avx512_vnni"}))
HOPPER = Device("cuda", (9, 0))
NAMES = [name for name, precision in PRECISIONS.items() if precision.weights]


class Tower(nn.Module):
    """Every role once, made in another order than it is called."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 64)
        self.hidden = nn.Linear(64, 128)
        self.back = nn.Linear(128, 64)
        self.norm = nn.LayerNorm(64)
        self.thin = nn.Linear(64, 8)
        self.shift = playing("modulation", nn.Sequential(nn.Linear(64, 64), nn.SiLU()))
        self.first = nn.Linear(48, 64)

    def forward(self, x):
        x = self.norm(self.first(x))
        x = self.back(self.hidden(x).relu()) + self.shift(x)
        few = self.thin(x).sum(-1, keepdim=True)
        return self.last(x) + few


@pytest.fixture
def tower():
    torch.manual_seed(0)
    return Tower().eval()


@pytest.fixture
def x():
    return torch.randn(20, 48, generator=torch.Generator().manual_seed(1))


def rows(report):
    return {row.name: row for row in report.rows}


def test_roles_follow_calls_where_they_are_known(tower, x):
    made = roles(tower)
    assert made["last"] == "first"
    assert made["first"] == "last"
    report = rows(quantize(tower, PRECISIONS["fp8"], PLAIN, calibration=lambda net: net(x)))
    assert {name: row.role for name, row in report.items()} == {
        "last": "last",
        "hidden": "hidden",
        "back": "hidden",
        "norm": "norm",
        "thin": "narrow",
        "shift.0": "modulation",
        "first": "first",
    }
    assert {name for name, row in report.items() if row.mode} == {"hidden", "back"}


def test_behind_an_embedding_no_layer_is_the_first():
    network = nn.Sequential(nn.Embedding(10, 64), nn.Linear(64, 64), nn.Linear(64, 64))
    assert list(roles(network).values()) == ["embedding", "hidden", "last"]


def test_subclasses_and_groups_stay_as_they_are():
    network = nn.ModuleDict(
        {
            "attention": nn.MultiheadAttention(64, 2),
            "grouped": nn.Conv2d(64, 64, 3, groups=2),
            "wrapped": nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"),
            "transposed": nn.ConvTranspose2d(64, 64, 2),
        }
    )
    found = roles(network)
    assert found.pop("attention") == found.pop("attention.out_proj") == "other"
    assert set(found.values()) == {"grouped"}


@pytest.mark.parametrize("name", NAMES)
def test_answers_stay_near_and_the_report_says_what_was_done(tower, x, name):
    exact = tower(x)
    before = total_bytes([tower])
    report = quantize(tower, PRECISIONS[name], PLAIN)
    error = float((tower(x) - exact).norm() / exact.norm())
    # Of an fp8, int8, nvfp4 or mx format, with weights drawn at random.
    assert error < {"f": 0.06, "i": 0.02, "n": 0.25, "m": 0.3}[name[0]]
    assert report.bytes_before == before
    form = PRECISIONS[name].weights
    saved = sum(4 * 64 * 128 - form.bytes(*shape) for shape in ((128, 64), (64, 128)))
    assert report.bytes_before - report.bytes_after == saved
    assert 0.001 < report.error < 0.15
    mode = "storage" if name.endswith("-weights") else "emulated"
    assert report.mode == mode
    assert report.note.startswith(f"{name}: {mode} on this device: weights in ")
    assert "2 layers rounded, 5 kept in bf16 (1 first, 1 norm, 1 narrow, 1 modulation" in (
        report.note
    )


def test_each_layer_says_how_it_computes(x):
    network = nn.Sequential(*(nn.Linear(48, 48) for _ in range(4)), nn.Linear(48, 56))
    network.append(nn.Linear(56, 48))
    report = quantize(network, PRECISIONS["int8"], VNNI)
    # oneDNN and cuBLAS take multiples of 16.
    assert [row.mode for row in report.rows] == [None, *3 * ["native"], "emulated", None]
    assert report.mode == "3 native, 1 emulated"
    assert network(x).isfinite().all()


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("fp8", nn.Linear(64, 64), "native"),
        ("fp8", nn.Linear(64, 56), "storage"),
        ("fp8", nn.Conv2d(64, 64, 3), "storage"),
        ("nvfp4", nn.Linear(64, 64), "storage"),
    ],
)
def test_a_gpu_computes_natively_what_torch_has_a_product_for(name, layer, expected):
    made = rounded_layer(layer, "hidden", PRECISIONS[name], HOPPER, None, 0)
    assert made.mode == expected


def test_a_weight_that_another_formula_reads_is_rounded_and_no_more(tower, x):
    playing("read", tower.hidden)
    report = rows(quantize(tower, PRECISIONS["nvfp4"], PLAIN, rank=8))
    assert report["hidden"].mode == "storage"
    assert report["back"].mode == "emulated"
    assert tower.hidden.left is None
    assert tower.hidden.weight.shape == (128, 64)


def test_a_calibrated_range_is_the_largest_that_was_seen(tower, x):
    calibrated = deepcopy(tower)
    report = quantize(calibrated, PRECISIONS["fp8"], PLAIN, calibration=lambda net: net(x))
    assert "calibrated scales" in report.note
    with torch.no_grad():
        expected = tower.norm(tower.first(x)).abs().max()
    torch.testing.assert_close(calibrated.hidden.largest, expected)


def test_low_rank_corrections_are_for_four_bits(tower):
    eight, four = deepcopy(tower), deepcopy(tower)
    quantize(eight, PRECISIONS["fp8"], PLAIN, rank=8)
    plain = quantize(deepcopy(tower), PRECISIONS["nvfp4"], PLAIN)
    report = quantize(four, PRECISIONS["nvfp4"], PLAIN, rank=8)
    assert eight.hidden.left is None
    assert isinstance(four.hidden, QuantizedLinear)
    assert report.error < plain.error
    assert report.bytes_after - plain.bytes_after == 2 * 2 * 8 * (64 + 128)


def test_a_network_without_layers_to_round_is_refused():
    with pytest.raises(ValueError, match=r"LayerNorm has none.*Take precision=fp64"):
        quantize(nn.LayerNorm(64), PRECISIONS["nvfp4"], PLAIN)


def test_weights_of_a_rounded_network_want_no_gradient(tower, x):
    quantize(tower, PRECISIONS["fp8"], PLAIN)
    assert not tower(x).requires_grad
    with pytest.raises(ValueError, match="derivatives"):
        tower(x.requires_grad_())


def test_a_processor_without_bfloat16_computes_in_float32():
    assert compute_of(PRECISIONS["nvfp4"], Device("cpu")) == "fp32"
    assert compute_of(PRECISIONS["nvfp4"], PLAIN) == "bf16"
    assert compute_of(PRECISIONS["bf16"], Device("cpu")) == "bf16"
