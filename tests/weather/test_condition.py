from dataclasses import replace

import pytest
import torch

from ansatz.weather.channels import Channel, Channels, Conditioning, read_channels
from ansatz.weather.condition import condition, lapse, num_condition
from ansatz.weather.grid import nearest, upsample

CHANNELS = Channels(
    inputs=(Channel("10u", "m s-1"), Channel("2t", "K"), Channel("t", "K", 850.0)),
    outputs=(Channel("2t", "K"),),
    statics=(Channel("lsm_mean"), Channel("orog", "m")),
    factor=4,
    spacing=2.5,
    input_mean=(1.0, 280.0, 270.0),
    input_std=(2.0, 5.0, 4.0),
    output_mean=(281.0,),
    output_std=(6.0,),
    static_mean=(0.5, 100.0),
    static_std=(0.5, 200.0),
    block_mean=("2t",),
    conditioning=Conditioning(lapse=True),
)


def fields(seed=0):
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.randn(2, 3, 3, 5, generator=draw, dtype=torch.float64)
    mean = torch.tensor(CHANNELS.input_mean)[:, None, None]
    static = torch.rand(2, 2, 12, 20, generator=draw, dtype=torch.float64)
    return coarse + mean, static


def test_channels_survive_a_file(tmp_path):
    CHANNELS.write(tmp_path / "channels.json")
    assert read_channels(tmp_path) == CHANNELS
    assert read_channels(tmp_path / "channels.json") == CHANNELS


def test_a_file_that_does_not_describe_channels_says_what_it_lacks(tmp_path):
    (tmp_path / "channels.json").write_text('{"inputs": []}')
    with pytest.raises(ValueError, match="outputs: Field required"):
        read_channels(tmp_path)


def test_every_channel_needs_its_statistics():
    with pytest.raises(ValueError, match="2 static channels have 1 means"):
        replace(CHANNELS, static_mean=(1.0,))


def test_a_level_stands_behind_the_name():
    assert Channel("t", "K", 850.0).label == "t850"
    assert Channel("2t", "K").label == "2t"


def test_z_scores_and_units_are_inverse():
    fine = torch.tensor([[[275.0, 281.0], [287.0, 293.0]]])
    scores = CHANNELS.normalized(fine)
    assert torch.equal(scores, torch.tensor([[[-1.0, 0.0], [1.0, 2.0]]]))
    assert torch.equal(CHANNELS.physical(scores), fine)


def test_the_condition_is_inputs_then_statics_as_z_scores():
    coarse, static = fields()
    found = condition(coarse, static, CHANNELS, Conditioning())

    assert found.shape == (2, num_condition(CHANNELS, Conditioning()), 12, 20)
    torch.testing.assert_close(found[:, 0], (upsample(coarse[:, 0], 4) - 1) / 2)
    torch.testing.assert_close(found[:, 2], (upsample(coarse[:, 2], 4) - 270) / 4)
    torch.testing.assert_close(found[:, 3], static[:, 0] * 2 - 1)
    torch.testing.assert_close(found[:, 4], (static[:, 1] - 100) / 200)


def test_it_is_6_5_kelvin_colder_a_kilometer_above_the_mean_of_the_cell():
    bumps = torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]]).repeat(4, 6)
    cells = nearest(torch.full((2, 3), 1500.0), 4)
    torch.testing.assert_close(lapse(cells + bumps, 4), -0.0065 * bumps)


def test_an_even_slope_that_the_coarse_grid_knows_moves_no_temperature():
    slope = torch.linspace(0, 1900, 20, dtype=torch.float64).expand(12, 20)
    torch.testing.assert_close(lapse(slope, 4), torch.zeros(12, 20, dtype=torch.float64))


def test_the_temperature_at_height_is_a_z_score_of_the_temperature():
    coarse, static = fields()
    found = condition(coarse, static, CHANNELS, CHANNELS.conditioning)
    moved = upsample(coarse[:, 1], 4) + lapse(static[:, 1], 4)
    assert found.shape[1] == num_condition(CHANNELS, CHANNELS.conditioning) == 6
    torch.testing.assert_close(found[:, 5], (moved - 280) / 5)


def test_a_network_that_is_told_the_lead_time_gets_days():
    coarse, static = fields()
    options = Conditioning(lead=True)
    found = condition(coarse, static, CHANNELS, options, torch.tensor([6.0, 36.0]))
    assert found.shape[1] == num_condition(CHANNELS, options)
    assert (found[0, -1] == 0.25).all()
    assert (found[1, -1] == 1.5).all()
    with pytest.raises(ValueError, match="lead time"):
        condition(coarse, static, CHANNELS, options)


def test_no_statics_are_no_channels():
    coarse, _ = fields()
    bare = replace(CHANNELS, statics=(), static_mean=(), static_std=())
    found = condition(coarse, torch.zeros(2, 0, 12, 20), bare, Conditioning())
    assert found.shape == (2, 3, 12, 20)


def test_a_temperature_at_height_needs_temperature_and_relief():
    coarse, static = fields()
    flat = replace(CHANNELS, statics=(Channel("lsm_mean"), Channel("fsr")))
    with pytest.raises(ValueError, match=r"orog.* among the statics \(lsm_mean, fsr\)"):
        condition(coarse, static, flat, Conditioning(lapse=True))
