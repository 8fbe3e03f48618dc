# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from ignite.metrics import MeanSquaredError
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss, DiceLoss
from torch import nn

from monai_ethics.errors import InputError
from monai_ethics.training import GroupDROLoss, TrainingGroups

ONE = torch.ones(1)


def two_groups(n=40, minority=8):
    items = [{"image": f"{i}.nii", "group": "rare" if i < minority else "usual"} for i in range(n)]
    return TrainingGroups(items, ["group"])


def test_it_equals_the_hand_computation():
    groups = TrainingGroups([{"image": f"{i}", "g": g} for i, g in enumerate("AABBBC")], ["g"])
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), groups, step_size=0.5, adjustment=2.0)
    pred = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    value = loss(pred, torch.zeros(3, 1), [0, 0, 1])  # group losses 2.5 and 9; C is absent
    a, b, c = math.exp(0.5 * (2.5 + 2 / math.sqrt(2))), math.exp(0.5 * (9 + 2 / math.sqrt(3))), 1.0
    q = [a / (a + b + c), b / (a + b + c), c / (a + b + c)]
    assert loss.weights.tolist() == pytest.approx(q, abs=1e-12)
    assert value.item() == pytest.approx(q[0] * 2.5 + q[1] * 9, rel=1e-6)
    value.backward()
    assert pred.grad.flatten().tolist() == pytest.approx([q[0] * 1, q[0] * 2, q[1] * 6], rel=1e-6)
    assert loss.group_losses[:2].tolist() == pytest.approx([2.5, 9.0])
    assert math.isnan(loss.group_losses[2])


def test_weights_stand_still_in_evaluation_and_without_gradients():
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), two_groups())
    with torch.no_grad():
        loss(torch.ones(2, 1), torch.zeros(2, 1), [0, 1])
    loss.eval()(torch.ones(2, 1), torch.zeros(2, 1), [0, 1])
    assert loss.weights.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "make",
    [
        lambda **kw: DiceLoss(sigmoid=True, **kw),
        lambda **kw: DiceLoss(sigmoid=True, batch=True, **kw),
        lambda reduction: DiceCELoss(sigmoid=True, reduction="mean"),  # MONAI's has no "none"
        lambda **kw: nn.BCEWithLogitsLoss(**kw),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_any_loss_is_taken_for_each_case_alone(make, reduction):
    torch.manual_seed(0)
    pred, target = torch.randn(4, 1, 8, 8), (torch.rand(4, 1, 8, 8) > 0.5).float()
    inner = make(reduction="mean")
    alone = [inner(pred[i : i + 1], target[i : i + 1]).item() for i in range(4)]
    loss = GroupDROLoss(make(reduction=reduction), two_groups()).eval()
    expected = 0.5 * alone[0] + 0.5 * sum(alone[1:]) / 3
    assert loss(pred, target, [0, 1, 1, 1]).item() == pytest.approx(expected, rel=1e-5)


def test_half_precision_overflow_does_not_spoil_the_weights():
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), two_groups())
    pred = torch.full((2, 1), 300.0, dtype=torch.float16)
    value = loss(pred, torch.zeros(2, 1, dtype=torch.float16), [0, 1])
    assert value.dtype == torch.float32
    assert loss.weights.tolist() == [0.5, 0.5]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(torch.ones(2, 1), torch.zeros(2, 1), [0, 1]).dtype == torch.float32


def test_a_checkpoint_resumes_where_it_stopped():
    def steps(loss, n):
        for _ in range(n):
            loss(torch.tensor([[1.0], [3.0]], requires_grad=True), torch.zeros(2, 1), [0, 1])
        return loss

    whole = steps(GroupDROLoss(nn.MSELoss(reduction="none"), two_groups()), 6)
    first = steps(GroupDROLoss(nn.MSELoss(reduction="none"), two_groups()), 3)
    resumed = GroupDROLoss(nn.MSELoss(reduction="none"), two_groups())
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(steps(resumed, 3).weights, whole.weights)


@pytest.mark.parametrize("codes", [[0, 2], [0, -1], [0.0, 1.0], ["a", "b"], [None, None], [[0], [1]]])
def test_codes_of_no_group_are_refused_before_they_reach_a_device(codes):
    with pytest.raises(InputError, match="from 0 to 1"):
        GroupDROLoss(nn.MSELoss(), two_groups())(torch.ones(2, 1), torch.zeros(2, 1), codes)


@pytest.mark.parametrize(
    "steps", [{"step_size": "a"}, {"step_size": None}, {"adjustment": math.nan}, {"adjustment": math.inf}]
)
def test_steps_that_are_no_numbers_are_refused(steps):
    with pytest.raises(InputError, match="positive `step_size`"):
        GroupDROLoss(nn.MSELoss(), two_groups(), **steps)


def test_groups_that_nobody_gave_are_refused():
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), two_groups())
    with pytest.raises(InputError, match="to the trainer as well"):
        loss(torch.zeros(2, 1), torch.zeros(2, 1))
    with pytest.raises(InputError, match="step_size"):
        GroupDROLoss(nn.MSELoss(), two_groups(), step_size=0)


@pytest.mark.parametrize(
    "how",
    [
        lambda loss: {"train_handlers": [loss]},
        lambda loss: (
            {"key_train_metric": {"mse": MeanSquaredError(output_transform=lambda _: (ONE, ONE))}}
            | {"additional_metrics": {"dro": loss}}
        ),
    ],
)
def test_a_trainer_of_monai_gives_it_the_groups(how):
    items = [
        {"image": torch.full((1,), 1.0), "label": torch.full((1,), v), "g": g} for v, g in [(0.0, "A"), (4.0, "B")]
    ]
    groups = TrainingGroups([{"image": "", "g": item["g"]} for item in items], ["g"])
    network = nn.Linear(1, 1)
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), groups, step_size=1.0)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=DataLoader(Dataset(items), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=loss,
        **how(loss),
    )
    trainer.run()
    with torch.no_grad():
        out = network(torch.ones(1, 1)).item()
    expected = torch.softmax(torch.tensor([2 * out**2, 2 * (out - 4) ** 2], dtype=torch.float64), 0)
    assert loss.weights.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    if "mse" in trainer.state.metrics:
        assert trainer.state.metrics["dro_A"] == loss.weights[0].item()


def worst_loss(seed, *, dro):
    """Linear regression of one slope: the minority's slope is another, so that no slope fits both."""
    generator = torch.Generator().manual_seed(seed)
    groups = two_groups()
    codes = torch.tensor(groups.codes)
    x = torch.randn(40, 1, generator=generator)
    y = torch.where(codes[:, None] == 0, -1.0, 1.0) * x + 0.1 * torch.randn(40, 1, generator=generator)
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    loss = GroupDROLoss(nn.MSELoss(reduction="none"), groups, step_size=0.05) if dro else nn.MSELoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (loss(network(x), y, codes.tolist()) if dro else loss(network(x), y)).backward()
        optimizer.step()
    errors = (network(x) - y).detach().square().flatten()
    return max(errors[codes == code].mean().item() for code in (0, 1))


@pytest.mark.slow
def test_the_worst_groups_loss_is_lower_than_with_the_plain_loss():
    pairs = [(worst_loss(seed, dro=True), worst_loss(seed, dro=False)) for seed in range(5)]
    assert all(ours < 0.8 * plain for ours, plain in pairs), pairs


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_follows_the_device_of_the_batch_under_amp():
    loss = GroupDROLoss(DiceLoss(sigmoid=True, reduction="none"), two_groups())
    pred = torch.randn(2, 1, 8, 8, device="cuda", requires_grad=True)
    with torch.autocast("cuda"):
        value = loss(pred * 2, torch.ones(2, 1, 8, 8, device="cuda"), [0, 1])
    value.backward()
    assert loss.weights.device.type == "cuda"
    assert pred.grad.isfinite().all()
