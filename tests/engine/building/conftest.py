"""Small networks with what matters to engines: ends, norms, a time, convolutions, attention."""

import importlib

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
export = importlib.import_module("ansatz.engine.building.export")
build_module = importlib.import_module("ansatz.engine.building.build")


class Told(nn.Module):
    """Tokens that are told a time: every role of a linear layer."""

    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.time = nn.Linear(32, width)
        self.shift = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.few = nn.Linear(width, 4)
        self.many = nn.Linear(4, width)
        self.head = nn.Linear(width, 32)

    def forward(self, x, time):
        shift = self.shift(silu(self.time(time)))
        x = self.embed(x) + shift[:, None]
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        seen = scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])
        x = x + self.merge(seen[:, 0])
        x = x + self.many(gelu(self.few(x)))
        return self.head(x)


class Convolutions(nn.Module):
    """Convolutions, one of them in groups, with a second output."""

    def __init__(self, width=32):
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.grouped = nn.Conv2d(width, width, 3, padding=1, groups=2)
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        x = silu(self.first(x))
        x = self.grouped(silu(self.inner(x)))
        return self.last(x), x.mean((2, 3))


@pytest.fixture
def exports_once(monkeypatch, told_graphs):
    """Builds of this module's network share their exported graphs: each takes seconds."""

    def exported(module, example, *, dynamic=None):
        kind = f"{[t.dtype for t in example]} {[t.shape for t in example]} {dynamic}"
        if kind not in told_graphs:
            told_graphs[kind] = export.exported(module, example, dynamic=dynamic)
        return told_graphs[kind]

    monkeypatch.setattr(build_module, "exported_graph", exported)


@pytest.fixture(scope="session")
def told_graphs():
    return {}


@pytest.fixture(scope="session")
def told():
    torch.manual_seed(0)
    return Told().eval()


@pytest.fixture(scope="session")
def told_inputs():
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, 5, 8, generator=rng), torch.randn(2, 32, generator=rng)


@pytest.fixture(scope="session")
def convolutions():
    torch.manual_seed(2)
    return Convolutions().eval()


@pytest.fixture(scope="session")
def image():
    return (torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3)),)
