from dataclasses import replace

import pytest
import torch
from small_cars import TINY
from torch import nn

from ansatz.aero.forces import surface_force, surface_moment
from ansatz.aero.halves import Draws, half, half_batches
from ansatz.aero.objective import CP_SCALE, FORCE_SCALES, FieldsAndForces, force_error
from ansatz.aero.surface import Surface
from ansatz.core.recipe import Position
from ansatz.store.samples import Store

LOSS = FieldsAndForces()
RNG = torch.Generator()


@pytest.fixture(scope="module")
def draw(store):
    return half_batches(store, "train", 2, Draws(anchors=64, surface=256, volume=64))


@pytest.fixture(scope="module")
def batch(draw):
    return draw(Position(seed=0, step=0), nn.Identity())


@pytest.fixture(scope="module")
def whole(store):
    """A batch of one half in which every cell was drawn once."""
    samples = Store(store)
    body = half(samples.load("car_1"), samples.meta("car_1"))
    return {
        "area_vectors": body.area_vectors[None],
        "places": body.places[None],
        "fields": body.fields[None],
        "cells": torch.tensor([float(len(body.fields))]),
        "reference_area": torch.tensor([body.reference_area]),
    }


def ensemble(members=2):
    torch.manual_seed(0)
    return replace(TINY, members=members).build()


def perfected(model, batch):
    """The batch with the answers of an ensemble of one as the truth."""
    net = model.members[0]
    slices = net.encode(batch["anchors"], batch["weights"])
    with torch.no_grad():
        fields = net.surface(slices, batch["surface"])
        return {**batch, "fields": fields, "flow": net.volume(slices, batch["volume"])}


def test_who_knows_all_fields_has_no_loss(batch):
    model = ensemble(members=1)
    loss = LOSS(model, perfected(model, batch), RNG)
    assert loss.total.item() < 1e-10
    assert set(loss.terms) == {"cp", "cf", "flow", "force"}


def test_a_pressure_that_is_off_by_its_scale_costs_one(batch):
    model = ensemble(members=1)
    known = perfected(model, batch)
    off = known["fields"] + torch.tensor([CP_SCALE, 0.0, 0.0, 0.0])
    terms = LOSS(model, {**known, "fields": off}, RNG).terms
    assert terms["cp"].item() == pytest.approx(1, rel=1e-5)
    assert terms["cf"].item() == pytest.approx(0, abs=1e-9)


def test_force_errors_are_differences_of_integrals_when_every_cell_is_drawn_once(whole):
    error = 0.1 * torch.randn(whole["fields"].shape, generator=torch.Generator().manual_seed(0))
    areas = whole["area_vectors"].norm(dim=-1)
    found = force_error(whole, error, areas)[0].double()

    left = Surface(whole["places"][0], whole["area_vectors"][0] / areas[0, :, None], areas[0])
    body, flip = left.mirrored(), torch.tensor([1.0, -1.0, 1.0])
    shear = torch.cat([error[0, :, 1:], error[0, :, 1:] * flip])
    middle = torch.tensor([0.5, 0.0, 0.0])
    force = surface_force(body, error[0, :, 0].repeat(2), shear)
    moment = surface_moment(body, error[0, :, 0].repeat(2), shear, middle)
    exact = torch.stack([force[0], force[2], moment[1]]) / float(whole["reference_area"])
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-5)


def test_force_errors_of_drawn_cells_are_right_in_the_mean(whole):
    rng = torch.Generator().manual_seed(0)
    error = whole["fields"]
    areas = whole["area_vectors"].norm(dim=-1)
    exact = force_error(whole, error, areas)
    names = ("area_vectors", "places")
    drawn = []
    for _ in range(400):
        pick = torch.randint(areas.shape[1], (512,), generator=rng)
        part = {**whole, **{name: whole[name][:, pick] for name in names}}
        drawn.append(force_error(part, error[:, pick], areas[:, pick]))
    estimates = torch.cat(drawn)
    standard_error = estimates.std(0) / 20
    assert ((estimates.mean(0) - exact[0]).abs() < 4 * standard_error).all()


def test_what_is_not_known_of_the_flow_costs_nothing(batch):
    model = ensemble(members=1)
    known = perfected(model, batch)
    flow = known["flow"].clone()
    flow[..., 5] = torch.nan
    assert LOSS(model, {**known, "flow": flow}, RNG).total.item() < 1e-10
    nothing = torch.full_like(flow, torch.nan)
    assert LOSS(model, {**known, "flow": nothing}, RNG).terms["flow"].item() == 0


def test_weights_of_zero_leave_terms_out(batch):
    model = ensemble()
    only = FieldsAndForces(friction=0, volume=0, force=0)
    loss = only(model, batch, RNG)
    torch.testing.assert_close(loss.total, loss.terms["cp"])


def test_each_member_learns_from_its_own_share(batch):
    model = ensemble()
    halves = [{name: values[[index]] for name, values in batch.items()} for index in (0, 1)]
    both = LOSS(model, batch, RNG).total
    alone = []
    for index, part in enumerate(halves):
        one = ensemble(members=1)
        one.members = nn.ModuleList([model.members[index]])
        alone.append(LOSS(one, part, RNG).total)
    torch.testing.assert_close(both, torch.stack(alone).mean())


def test_steps_down_the_gradient_reduce_the_loss_on_one_car(draw):
    model = ensemble()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for step in range(40):
        loss = LOSS(model, draw(Position(seed=0, step=step), nn.Identity()), RNG)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.total.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_every_weight_has_a_gradient(batch):
    model = ensemble()
    LOSS(model, batch, RNG).total.backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]


def test_force_errors_count_in_coefficients(batch):
    model = ensemble(members=1)
    known = perfected(model, batch)
    off = known["fields"] + torch.tensor([0.1, 0.0, 0.0, 0.0])
    areas = known["area_vectors"].norm(dim=-1)
    error = torch.zeros_like(off) - torch.tensor([0.1, 0.0, 0.0, 0.0])
    expected = (
        (force_error(known, error, areas) / torch.tensor(FORCE_SCALES)).square().sum(-1).mean()
    )
    found = LOSS(model, {**known, "fields": off}, RNG).terms["force"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_batch_that_members_cannot_share_is_refused(batch):
    with pytest.raises(ValueError, match="batch of 2 halves cannot be shared by 3 members"):
        LOSS(ensemble(members=3), batch, RNG)
