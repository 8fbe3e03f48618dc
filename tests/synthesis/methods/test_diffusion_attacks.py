# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from monai_ethics.synthesis.methods.diffusion_attacks import pia_errors, secmi_errors

ALPHAS = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)


def broad(t, x):
    return ALPHAS[t].reshape(-1, *[1] * (x.ndim - 1)).to(x)


def knows(point):
    """The exact noise of a model whose training set is one image."""

    def eps(x, t):
        alpha = broad(t, x)
        return (x - alpha.sqrt() * point) / (1 - alpha).sqrt()

    return eps


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 4, 6, 5)])
def test_a_model_that_knows_one_image_has_no_error_on_it(shape):
    images = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    eps = knows(images[:1])
    secmi = secmi_errors(eps, ALPHAS, images)
    assert secmi.shape == (3,)
    pia = pia_errors(eps, ALPHAS, images)
    assert pia[0] < 1e-9
    assert (pia[1:] > 1).all()


def test_pia_is_the_formula_of_the_paper():
    generator = torch.Generator().manual_seed(1)
    images, weight = torch.randn(2, 1, 4, 4, generator=generator), torch.randn(4, 4, generator=generator)
    calls = []

    def eps(x, t):
        calls.append(t.tolist())
        return torch.tanh(x @ weight) * (1 + t.reshape(-1, 1, 1, 1) / 1000)

    first = torch.tanh(images @ weight)
    alpha = ALPHAS[200].float()
    noisy = alpha.sqrt() * images + (1 - alpha).sqrt() * first
    expected = (first - torch.tanh(noisy @ weight) * 1.2).abs().pow(4).flatten(1).sum(1)
    found = pia_errors(eps, ALPHAS, images)
    assert torch.allclose(found, expected.double(), rtol=1e-5)
    assert calls == [[0, 0], [200, 200]]
    scaled = pia_errors(eps, ALPHAS, images, normalized=True)
    assert not torch.allclose(scaled, found)


def test_secmi_takes_its_steps_one_further_and_one_back():
    calls = []

    def eps(x, t):
        calls.append(int(t[0]))
        return torch.zeros_like(x)

    errors = secmi_errors(eps, ALPHAS, torch.ones(1, 1, 2, 2), timestep=30, interval=10)
    assert calls == [0, 10, 20, 30, 40]
    assert errors.item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("timestep", "interval"), [(100, 30), (0, 10), (1000, 10), (5, 0)])
def test_steps_outside_the_schedule_are_refused(timestep, interval):
    with pytest.raises(ValueError, match="got"):
        secmi_errors(knows(torch.zeros(1)), ALPHAS, torch.zeros(1, 1, 2, 2), timestep=timestep, interval=interval)
    with pytest.raises(ValueError, match="of the schedule"):
        pia_errors(knows(torch.zeros(1)), ALPHAS, torch.zeros(1, 1, 2, 2), timestep=1000)
