# SPDX-License-Identifier: Apache-2.0
"""Attacks on MONAI networks: a tiny over-trained model gives its training images away, an untrained one does not."""

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow

N, SIDE = 24, 8


def blobs(n, *, seed, dims=2):
    """Smooth random images in [-1, 1], one of each patient."""
    noise = torch.randn(n, 1, *[4] * dims, generator=torch.Generator().manual_seed(seed))
    images = torch.nn.functional.interpolate(noise, size=[SIDE] * dims, mode="bilinear" if dims == 2 else "trilinear")
    return torch.tanh(images)


def network(dims=2, **kept):
    from monai.networks.nets import DiffusionModelUNet

    torch.manual_seed(0)
    return DiffusionModelUNet(
        spatial_dims=dims,
        in_channels=1,
        out_channels=1,
        channels=(16, 16),
        attention_levels=(False, False),
        num_res_blocks=1,
        norm_num_groups=8,
        num_head_channels=8,
        **kept,
    )


def trained(images, *, steps, kind="epsilon"):
    from monai.networks.schedulers import DDPMScheduler

    net, scheduler = network(), DDPMScheduler(num_train_timesteps=1000, prediction_type=kind)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        noise = torch.randn(images.shape, generator=generator)
        t = torch.randint(0, 400, (len(images),), generator=generator)
        target = noise if kind == "epsilon" else scheduler.get_velocity(images, noise, t)
        loss = torch.nn.functional.mse_loss(net(scheduler.add_noise(images, noise, t), timesteps=t), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def batches(members, others, **kept):
    for images, is_member in ((members, True), (others, False)):
        names = [f"{'t' if is_member else 'h'}{i}" for i in range(len(images))]
        yield {"image": images, "patient": names, "member": [is_member] * len(images), **kept}


def finding_of(net, members, others, *, kind="epsilon"):
    from monai.networks.schedulers import DDIMScheduler

    from monai_ethics.metrics.model_access import DiffusionAccess, attack_scores
    from monai_ethics.synthesis.memorization_model_access import MemorizationModelAccess

    scheduler = DDIMScheduler(num_train_timesteps=1000, prediction_type=kind)
    access = DiffusionAccess(network=net, scheduler=scheduler)
    scores = attack_scores(access, batches(members, others), split_random=True)
    return MemorizationModelAccess(permutations=999)(scores)


def test_an_over_trained_network_tells_and_an_untrained_one_does_not():
    members, others = blobs(N, seed=1), blobs(N, seed=2)
    finding = finding_of(trained(members, steps=300).train(), members, others)
    untrained = finding_of(network(), members, others)
    for name, found in (("over-trained", finding), ("untrained", untrained)):
        areas = {e.group["attack"]: round(e.value, 3) for e in found.estimates if e.name == "auc"}
        print(f"{name}: areas {areas}, p {found.estimates[0].value:.3f}")
    assert next(e.value for e in finding.estimates if e.name == "auc" and e.group["attack"] == "loss") > 0.9
    assert finding.estimates[0].value < 0.01
    assert untrained.estimates[0].value > 0.05
    assert finding.estimates[0].name == "p_value_model_access"


def test_noise_velocity_and_image_are_one_prediction():
    from monai.networks.schedulers import DDPMScheduler

    from monai_ethics.metrics.model_access import DiffusionAccess

    images, noise = blobs(3, seed=3), torch.randn(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    t = torch.tensor([10, 300, 900])
    for kind in ("epsilon", "v_prediction", "sample"):
        scheduler = DDPMScheduler(num_train_timesteps=1000, prediction_type=kind)
        target = {"epsilon": noise, "sample": images}.get(kind, scheduler.get_velocity(images, noise, t))

        class Oracle(torch.nn.Module):
            def forward(self, x, timesteps, answer=target):
                return answer

        eps = DiffusionAccess(network=Oracle(), scheduler=scheduler).noise()
        assert torch.allclose(eps(scheduler.add_noise(images, noise, t), t), noise, atol=2e-4)


def test_latent_conditional_and_3d_networks_are_attacked_and_keep_their_mode():
    from monai.networks.nets import AutoencoderKL
    from monai.networks.schedulers import DDIMScheduler

    from monai_ethics.metrics.model_access import DiffusionAccess, attack_scores

    torch.manual_seed(0)
    encoder = AutoencoderKL(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=(8, 8),
        attention_levels=(False, False),
        latent_channels=1,
        num_res_blocks=1,
        norm_num_groups=8,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )
    net = network(3, num_class_embeds=2).train()
    access = DiffusionAccess(network=net, scheduler=DDIMScheduler(1000), autoencoder=encoder, scale_factor=0.5)
    state = torch.random.get_rng_state()
    images = blobs(2, seed=5, dims=3)
    labels = torch.tensor([0, 1])
    scores = attack_scores(access, batches(images, images + 0.1, class_labels=labels, site=["a", "b"]))
    assert torch.equal(state, torch.random.get_rng_state())
    assert net.training
    assert encoder.training
    assert scores.attacks == ("loss", "pia", "secmi")
    assert scores.sites == ("a", "b") * 2
    assert np.isfinite(scores.errors["pia"]).all()
    with pytest.raises(ValueError, match="some of loss, pia and secmi"):
        attack_scores(access, [], attacks=("other",))
    with pytest.raises(ValueError, match="Expected batches with images"):
        attack_scores(access, [])
