# SPDX-License-Identifier: Apache-2.0
"""With the same seed a run gives the same bytes with and without us."""

import copy
import hashlib

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import GanTrainer, SupervisedTrainer
from monai.handlers import CheckpointSaver, MeanDice, MetricsSaver, ValidationHandler, from_engine

from monai_ethics.handlers import attach

PAIR = from_engine(["pred", "label"])
pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")  # MetricsSaver, over cases without a value


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def train(toy, folder, out=None, attributes=None):
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.Dropout(), torch.nn.Conv2d(2, 1, 1))
    torch.rand(1)
    evaluator = toy.evaluator(
        toy.items(),
        network=network,
        metrics={"val_mean_dice": MeanDice(output_transform=PAIR), "val_again": MeanDice(output_transform=PAIR)},
        handlers=[
            CheckpointSaver(save_dir=str(folder), save_dict={"net": network}, save_key_metric=True),
            MetricsSaver(save_dir=str(folder), metrics=["val_mean_dice", "val_again"], metric_details="*"),
        ],
    )
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=DataLoader(toy.Items(toy.items(9)), batch_size=3, shuffle=True),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.01),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[
            ValidationHandler(1, evaluator),
            CheckpointSaver(save_dir=str(folder), save_dict={"net": network}, save_final=True),
        ],
    )
    if out is not None:
        attach([trainer, evaluator], out=out, attributes=attributes)
    trainer.run()
    return digests(folder), dict(evaluator.state.metrics), torch.rand(4)


def test_training_gives_the_same_bytes_values_and_random_numbers(toy, tmp_path):
    plain = train(toy, tmp_path / "a")
    watched = train(toy, tmp_path / "b", tmp_path / "e")
    assert watched[0] == plain[0]
    assert any(name.endswith(".pt") for name in plain[0])
    assert any(name.endswith("_raw.csv") for name in plain[0])
    assert watched[1] == plain[1]
    assert torch.equal(watched[2], plain[2])


def test_with_attributes_the_bundles_own_values_and_names_stay(toy, tmp_path):
    plain = train(toy, tmp_path / "a")
    watched = train(toy, tmp_path / "b", tmp_path / "e", attributes=["sex"])
    assert {k: v for k, v in watched[1].items() if k in plain[1]} == plain[1]
    assert {n: d for n, d in watched[0].items() if n.endswith((".pt", "_raw.csv"))} == {
        n: d for n, d in plain[0].items() if n.endswith((".pt", "_raw.csv"))
    }


@pytest.mark.parametrize("decollate", [True, False])
def test_batch_and_output_are_left_as_they_are(toy, tmp_path, decollate):
    evaluator = toy.evaluator(toy.items(), decollate=decollate)
    held = {}

    @evaluator.on(Events.ITERATION_COMPLETED)
    def _before():
        held["ids"] = id(evaluator.state.batch), id(evaluator.state.output)
        held["copy"] = copy.deepcopy((evaluator.state.batch, evaluator.state.output))

    attach(evaluator, out=tmp_path / "e", attributes=["sex"])

    @evaluator.on(Events.ITERATION_COMPLETED)
    def _after():
        assert held["ids"] == (id(evaluator.state.batch), id(evaluator.state.output))
        torch.testing.assert_close(evaluator.state.output, held["copy"][1], rtol=0, atol=0)
        assert str(evaluator.state.batch) == str(held["copy"][0])

    evaluator.run()


def gan(toy, tmp_path, out=None):
    torch.manual_seed(0)
    generator = torch.nn.Sequential(torch.nn.Linear(8, 256), torch.nn.Unflatten(1, (1, 16, 16)))
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 1))
    items = [{"reals": item["image"], "sex": item["sex"] or "?"} for item in toy.items(6)]
    trainer = GanTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=DataLoader(toy.Items(items), batch_size=3),
        g_network=generator,
        g_optimizer=torch.optim.SGD(generator.parameters(), lr=0.01),
        g_loss_function=lambda fakes: critic(fakes).mean(),
        d_network=critic,
        d_optimizer=torch.optim.SGD(critic.parameters(), lr=0.01),
        d_loss_function=lambda fakes, reals: critic(fakes.detach()).mean() - critic(reals).mean(),
        latent_shape=8,
    )
    session = attach(trainer, out=out, attributes=["sex"]) if out else None
    trainer.run()
    return torch.cat([p.flatten() for p in generator.parameters()]), session


def test_a_gan_trainer_with_its_dict_batches_is_recorded_and_unchanged(toy, tmp_path):
    plain, _ = gan(toy, tmp_path)
    watched, session = gan(toy, tmp_path, tmp_path / "e")
    assert torch.equal(plain, watched)
    coverage, _ = session.findings  # the other one looks for names in the log
    assert coverage.check == "lifecycle.run_coverage"
    assert session.ledger.engines["GanTrainer"].scores.cases == tuple(
        f"/data/sub-{i:02d}/image.nii.gz" for i in range(6)
    )
