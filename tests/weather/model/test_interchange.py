"""CorrDiff's network, written down plainly from its description, against ours with its weights."""

import math
import re
import tarfile
import zipfile
from dataclasses import replace

import pytest
import torch

from ansatz.weather.model.config import Mean, Residual, Shape
from ansatz.weather.model.interchange import load_mean, load_residual, load_unet, read_mdlus
from ansatz.weather.model.unet import UNet

SHAPE = Shape(width=16, levels=(1, 2, 2), blocks=2, attention=(1,), position="none")
SIZE = 16


def convolution(count, inputs, outputs, name, size=3):
    shape = (outputs, inputs, size, size) if count == 2 else (outputs, inputs)
    return {f"{name}.weight": shape, f"{name}.bias": (outputs,)}


def block(name, inputs, outputs, *, attends=False, resamples=False):
    found = {f"{name}.norm0.weight": (inputs,), f"{name}.norm0.bias": (inputs,)}
    found |= convolution(2, inputs, outputs, f"{name}.conv0")
    found |= convolution(1, 64, outputs, f"{name}.affine")
    found |= {f"{name}.norm1.weight": (outputs,), f"{name}.norm1.bias": (outputs,)}
    found |= convolution(2, outputs, outputs, f"{name}.conv1")
    if inputs != outputs or resamples:
        found |= convolution(2, inputs, outputs, f"{name}.skip", 1)
    if resamples:
        found |= {f"{name}.conv0.resample_filter": (1, 1, 2, 2)}
    if attends:
        found |= {f"{name}.attn.norm.weight": (outputs,), f"{name}.attn.norm.bias": (outputs,)}
        found |= convolution(2, outputs, 3 * outputs, f"{name}.attn.qkv", 1)
        found |= convolution(2, outputs, outputs, f"{name}.attn.proj", 1)
    return found


def layers(inputs, outputs):
    """Names and shapes of a SongUNet of 16 features, levels 1, 2, 2, two blocks, attention at 8."""
    shapes = convolution(1, 16, 64, "map_layer0") | convolution(1, 64, 64, "map_layer1")
    shapes |= {"map_noise.freqs": (8,)}
    shapes |= convolution(2, inputs, 16, "enc.16x16_conv")
    shapes |= block("enc.16x16_block0", 16, 16) | block("enc.16x16_block1", 16, 16)
    shapes |= block("enc.8x8_down", 16, 16, resamples=True)
    shapes |= block("enc.8x8_block0", 16, 32, attends=True)
    shapes |= block("enc.8x8_block1", 32, 32, attends=True)
    shapes |= block("enc.4x4_down", 32, 32, resamples=True)
    shapes |= block("enc.4x4_block0", 32, 32) | block("enc.4x4_block1", 32, 32)
    shapes |= block("dec.4x4_in0", 32, 32, attends=True) | block("dec.4x4_in1", 32, 32)
    for number in range(3):
        shapes |= block(f"dec.4x4_block{number}", 64, 32)
    shapes |= block("dec.8x8_up", 32, 32, resamples=True)
    shapes |= block("dec.8x8_block0", 64, 32) | block("dec.8x8_block1", 64, 32)
    shapes |= block("dec.8x8_block2", 48, 32, attends=True)
    shapes |= block("dec.16x16_up", 32, 32, resamples=True)
    shapes |= block("dec.16x16_block0", 48, 16) | block("dec.16x16_block1", 32, 16)
    shapes |= block("dec.16x16_block2", 32, 16)
    shapes |= {"dec.16x16_aux_norm.weight": (16,), "dec.16x16_aux_norm.bias": (16,)}
    return shapes | convolution(2, 16, outputs, "dec.16x16_aux_conv")


def drawn(inputs=3, outputs=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in layers(inputs, outputs).items():
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        found[name] = noise / math.prod(shape[1:]) ** 0.5 if len(shape) > 1 else 1 + 0.1 * noise
        if name.endswith("resample_filter"):
            found[name] = torch.full(shape, 0.25, dtype=torch.float64)
    return found


def conv(w, name, x):
    size = w[f"{name}.weight"].shape[-1]
    padded = torch.nn.functional.pad(x, [size // 2] * 4)
    out = w[f"{name}.bias"][None, :, None, None].expand(len(x), -1, *x.shape[-2:]).clone()
    for i in range(size):
        for j in range(size):
            window = padded[:, :, i : i + x.shape[-2], j : j + x.shape[-1]]
            out += torch.einsum("oc,bchw->bohw", w[f"{name}.weight"][:, :, i, j], window)
    return out


def group_norm(w, name, x):
    groups = min(32, x.shape[1] // 4)
    parts = x.reshape(len(x), groups, -1)
    mean = parts.mean(-1, keepdim=True)
    variance = ((parts - mean) ** 2).mean(-1, keepdim=True)
    flat = ((parts - mean) / (variance + 1e-6).sqrt()).reshape(x.shape)
    return flat * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def silu(x):
    return x / (1 + (-x).exp())


def box(x, way):
    if way == "down":
        return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    for i in range(2):
        for j in range(2):
            out[..., i::2, j::2] = x
    return out


def plain_block(w, name, x, told):
    way = next((word for word in ("down", "up") if name.endswith(word)), "")
    h = silu(group_norm(w, f"{name}.norm0", x))
    skip = x
    if way:
        h, skip = box(h, way), box(x, way)
    h = conv(w, f"{name}.conv0", h)
    shift = told @ w[f"{name}.affine.weight"].T + w[f"{name}.affine.bias"]
    h = silu(group_norm(w, f"{name}.norm1", h + shift[:, :, None, None]))
    h = conv(w, f"{name}.conv1", h)
    skip = conv(w, f"{name}.skip", skip) if f"{name}.skip.weight" in w else skip
    y = (h + skip) / 2**0.5
    if f"{name}.attn.qkv.weight" not in w:
        return y
    parts = conv(w, f"{name}.attn.qkv", group_norm(w, f"{name}.attn.norm", y))
    q, k, v = parts.reshape(len(y), y.shape[1], 3, -1).unbind(2)
    scores = torch.einsum("bcq,bck->bqk", q, k) / y.shape[1] ** 0.5
    share = scores.exp() / scores.exp().sum(-1, keepdim=True)
    seen = torch.einsum("bqk,bck->bcq", share, v).reshape(y.shape)
    return (y + conv(w, f"{name}.attn.proj", seen)) / 2**0.5


def plain(w, x, noise=None):
    told = x.new_zeros(len(x), 64)
    if noise is not None:
        frequencies = 10_000 ** -(torch.arange(8).float() / 7)
        angles = noise[:, None] * frequencies.double()
        told = torch.cat([angles.sin(), angles.cos()], 1)
        for layer in ("map_layer0", "map_layer1"):
            told = silu(told @ w[f"{layer}.weight"].T + w[f"{layer}.bias"])
    names = dict.fromkeys(re.match(r"\w+\.\w+", name)[0] for name in w if name[:3] in "encdec")
    x = conv(w, "enc.16x16_conv", x)
    skips = [x]
    for name in names:
        if name.startswith("enc") and not name.endswith("_conv"):
            x = plain_block(w, name, x, told)
            skips.append(x)
        elif name.startswith("dec") and "aux" not in name:
            if w[f"{name}.norm0.weight"].shape[0] != x.shape[1]:
                x = torch.cat([x, skips.pop()], 1)
            x = plain_block(w, name, x, told)
    return conv(w, "dec.16x16_aux_conv", silu(group_norm(w, "dec.16x16_aux_norm", x)))


def fields(channels, count=2, seed=3):
    shape = (count, channels, SIZE, SIZE)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_network_is_that_of_the_papers_written_down_plainly():
    weights, x, noise = drawn(), fields(3), torch.tensor([-1.2, 0.7], dtype=torch.float64)
    network = UNet(SHAPE, 3, 2).double().eval()
    load_unet(network, weights)
    with torch.no_grad():
        torch.testing.assert_close(network(x, noise), plain(weights, x, noise), rtol=0, atol=1e-6)
        torch.testing.assert_close(network(x), plain(weights, x), rtol=0, atol=1e-11)


def test_the_channels_of_zeros_of_a_regression_network_are_left_out():
    weights = {f"model.{name}": value for name, value in drawn(inputs=5).items()}
    silent = {name: value for name, value in weights.items() if "map_" not in name}
    stage = Mean(SHAPE, follows_input=False, num_condition=3, num_outputs=2).build().double().eval()
    load_mean(stage, silent)
    x = fields(3)
    expected = plain(drawn(inputs=5), torch.cat([torch.zeros_like(x[:, :2]), x], 1))
    with torch.no_grad():
        torch.testing.assert_close(stage(x), expected, rtol=0, atol=1e-11)


def test_the_diffusion_network_denoises_as_karras_et_al_precondition_it():
    weights = {f"model.{name}": value for name, value in drawn(inputs=7).items()}
    config = Residual(SHAPE, sigma_data=0.5, mean=Mean(SHAPE), num_condition=3, num_outputs=2)
    stage = config.build().double().eval()
    load_residual(stage, weights)
    x, mean, condition, sigma = fields(2), fields(2, seed=4), fields(3, seed=5), 1.7
    variance = sigma**2 + 0.25
    noise = torch.full((2,), math.log(sigma) / 4, dtype=torch.float64)
    said = plain(drawn(inputs=7), torch.cat([x / variance**0.5, mean, condition], 1), noise)
    expected = 0.25 / variance * x + 0.5 * sigma / variance**0.5 * said
    with torch.no_grad():
        found = stage.denoise(x, torch.tensor(sigma, dtype=torch.float64), condition, mean)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_weights_of_before_attention_had_a_part_of_its_own_are_known():
    weights = drawn()
    old = {re.sub(r"attn\.(qkv|proj)", r"\1", name): value for name, value in weights.items()}
    old = {name.replace("attn.norm", "norm2"): value for name, value in old.items()}
    one, other = UNet(SHAPE, 3, 2), UNet(SHAPE, 3, 2)
    load_unet(one, weights)
    load_unet(other, old)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_learned_position_maps_are_taken_over():
    maps = torch.randn(4, SIZE, SIZE)
    shape = replace(SHAPE, position="learned", domain=(SIZE, SIZE))
    network = UNet(shape, 3, 2)
    load_unet(network, drawn(inputs=7) | {"pos_embd": maps})
    assert torch.equal(network.state_dict()["position.maps"], maps)


def test_a_network_of_another_shape_is_refused_by_the_name_of_a_tensor():
    with pytest.raises(ValueError, match=r"1 tensors do not fit, first first\.weight"):
        load_unet(UNet(SHAPE, 4, 2), drawn())


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_weights_are_read_from_both_archives_of_physicsnemo(tmp_path, kind):
    weights, path = drawn(), tmp_path / "net.mdlus"
    torch.save(weights, tmp_path / "model.pt")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(tmp_path / "model.pt", "model.pt")
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(tmp_path / "model.pt", "./model.pt")
    found = read_mdlus(path)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "net.mdlus").write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"no model file of PhysicsNeMo.*model\.pt"):
        read_mdlus(tmp_path / "net.mdlus")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"a": Runs()}, tmp_path / "model.pt")
    with zipfile.ZipFile(tmp_path / "net.mdlus", "w") as archive:
        archive.write(tmp_path / "model.pt", "model.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        read_mdlus(tmp_path / "net.mdlus")
