"""The two stages: a mean, and samples of what it leaves.

The mean is m(c) = f(c) + G c + g, with c the condition. G and g take an output's coarse namesake,
interpolated, from the z-score of the input to that of the output; they are no weights.

The second stage knows the fine field as residual y = (fine - m) / s with s, channel by channel, the
standard deviation that the mean leaves over the training split (CorrDiff, Mardani et al.,
arXiv:2309.15214, leaves out s). One network F serves three kinds of sampling. Given noise n:

    denoiser    D = c_skip x + c_out F(c_in x, m, c; ln(σ)/4),  x = y + σ n, with Karras et al.'s
                c_skip = σ_d²/(σ² + σ_d²), c_out = σ σ_d/√(σ² + σ_d²), c_in = 1/√(σ² + σ_d²)
                (arXiv:2206.00364, table 1); F should be (y - c_skip x) / c_out
    velocity    F(x, m, c; t) should be y - n at x = (1 - t) n + t y (flow matching; from the mean
                with noise scaled by channel, as Fotiadis et al., arXiv:2410.19814)
    generator   F(n, m, c) is a sample of y

One folder answers: the weights of the mean are among those of the second stage.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ansatz.weather.model.config import Kind, Mean, Residual
from ansatz.weather.model.unet import UNet

Field = Float[Tensor, "b o H W"]
Condition = Float[Tensor, "b c H W"]
Place = Int[Tensor, "b 2"]


class MeanStage(nn.Module):
    """The first stage.

    Attributes:
        gain: G of this module's text, shape (outputs, condition).
        offset: g, shape (outputs,).
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, config: Mean) -> None:
        """Draw fresh weights; nothing of the input is followed yet."""
        super().__init__()
        self.config = config
        shape = replace(config.shape, embedding="zero")
        self.network = UNet(shape, config.num_condition, config.num_outputs)
        self.register_buffer("gain", torch.zeros(config.num_outputs, config.num_condition))
        self.register_buffer("offset", torch.zeros(config.num_outputs))

    def forward(self, condition: Condition, place: Place | None = None) -> Field:
        """The mean, in z-scores.

        Args:
            condition: See `ansatz.weather.condition`.
            place: Row and column of the fine cell at the corner of each field.
        """
        followed = torch.einsum("oc,bchw->bohw", self.gain, condition)
        found: Tensor = self.network(condition, None, place)
        return found.to(condition.dtype) + followed + self.offset[:, None, None]


class ResidualStage(nn.Module):
    """The second stage.

    Attributes:
        mean: The first stage; it does not change.
        scale: s of this module's text, shape (outputs,).
        kind: What the network gives.
    """

    scale: Tensor

    def __init__(self, config: Residual) -> None:
        """Draw fresh weights; the scale is one."""
        super().__init__()
        self.config = config
        outputs, condition = config.num_outputs, config.num_condition
        mean = replace(config.mean, num_condition=condition, num_outputs=outputs)
        self.mean = MeanStage(mean).requires_grad_(False)
        shape = config.shape
        if config.kind == "generator":
            shape = replace(shape, embedding="zero")
        self.network = UNet(shape, 2 * outputs + condition, outputs)
        self.register_buffer("scale", torch.ones(outputs))

    @property
    def kind(self) -> Kind:
        """What the network gives."""
        return self.config.kind

    def train(self, mode: bool = True) -> "ResidualStage":
        """Go to training mode; the mean stays as it answers."""
        super().train(mode)
        self.mean.eval()
        return self

    # ---------------------------------------------------------------------------- training
    def forward(
        self,
        fine: Field,
        noise: Float[Tensor, "n o H W"],
        level: Float[Tensor, " n"],
        condition: Condition,
        place: Place | None = None,
    ) -> tuple[Float[Tensor, "n o H W"], Float[Tensor, "n o H W"]]:
        """What the network says under noise, and what it should say.

        Args:
            fine: The truth, in z-scores.
            noise: Of unit variance; several per field may be given, those of a field in a row.
            level: σ of each noise for a denoiser, t for a velocity; a generator uses none.
            condition: See `ansatz.weather.condition`.
            place: Row and column of the fine cell at the corner of each field.

        Returns:
            F and its target, which for a generator is the residual itself; in units of the scale.
        """
        mean = self.mean_of(condition, place)
        residual = (fine - mean) / self.scale[:, None, None]
        times = len(noise) // len(fine)
        if times > 1:
            residual, condition, mean = (
                field.repeat_interleave(times, 0) for field in (residual, condition, mean)
            )
            place = None if place is None else place.repeat_interleave(times, 0)
        if self.kind == "generator":
            return self.generate(noise, condition, mean, place), residual
        at = level[:, None, None, None]
        if self.kind == "velocity":
            x = (1 - at) * noise + at * residual
            return self.velocity(x, level, condition, mean, place), residual - noise
        x = residual + at * noise
        skip, out, _ = preconditioning(at, self.config.sigma_data)
        said = self._preconditioned(x, level, condition, mean, place)
        return said, (residual - skip * x) / out

    # -------------------------------------------------------------------------- prediction
    def mean_of(self, condition: Condition, place: Place | None = None) -> Field:
        """The mean of the first stage, in z-scores."""
        with torch.no_grad():
            mean: Tensor = self.mean(condition, place)
        return mean

    def member(self, mean: Field, residual: Field) -> Field:
        """A fine field in z-scores, from the mean and a sample of the residual."""
        return mean + self.scale[:, None, None] * residual

    def denoise(
        self,
        x: Field,
        sigma: Tensor,
        condition: Condition,
        mean: Field,
        place: Place | None = None,
    ) -> Field:
        """The expected residual, given what is left of it under noise: of a denoiser.

        Args:
            x: Residual in units of the scale, plus σ times noise.
            sigma: σ, one for all fields or one for each.
            condition: See `ansatz.weather.condition`.
            mean: As `mean_of` gives it.
            place: Row and column of the fine cell at the corner of each field.
        """
        level = sigma.expand(len(x))
        at = level[:, None, None, None]
        skip, out, _ = preconditioning(at, self.config.sigma_data)
        return skip * x + out * self._preconditioned(x, level, condition, mean, place)

    def velocity(
        self,
        x: Field,
        time: Tensor,
        condition: Condition,
        mean: Field,
        place: Place | None = None,
    ) -> Field:
        """The direction from noise to residual at a time in [0, 1]: of a velocity."""
        return self._network(x, time.expand(len(x)), condition, mean, place)

    def generate(
        self, noise: Field, condition: Condition, mean: Field, place: Place | None = None
    ) -> Field:
        """A sample of the residual in units of the scale, in one evaluation: of a generator."""
        return self._network(noise, None, condition, mean, place)

    def _preconditioned(
        self, x: Tensor, sigma: Tensor, condition: Tensor, mean: Tensor, place: Tensor | None
    ) -> Tensor:
        _, _, scale = preconditioning(sigma[:, None, None, None], self.config.sigma_data)
        return self._network(scale * x, sigma.log() / 4, condition, mean, place)

    def _network(
        self, x: Tensor, level: Tensor | None, condition: Tensor, mean: Tensor, place: Tensor | None
    ) -> Tensor:
        said: Tensor = self.network(torch.cat([x, mean, condition], 1), level, place)
        return said.to(x.dtype)


def preconditioning(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor]:
    """c_skip, c_out and c_in of this module's text."""
    variance = sigma**2 + sigma_data**2
    return sigma_data**2 / variance, sigma * sigma_data / variance.sqrt(), variance.rsqrt()
