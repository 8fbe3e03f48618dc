# SPDX-License-Identifier: Apache-2.0
from collections import Counter

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from scipy.stats import binom

from monai_ethics.errors import InputError
from monai_ethics.training import GroupBalancedSampler


def test_groups_and_patients_are_drawn_as_often_as_promised(groups):
    sampler = GroupBalancedSampler(groups, num_samples=9000)
    drawn = list(sampler)
    by_group = Counter(groups.codes[i] for i in drawn)
    low, high = binom.interval(0.9999, 9000, 1 / 3)
    assert all(low <= by_group[code] <= high for code in range(3))
    by_patient = Counter(groups.patients[i] for i in drawn if groups.codes[i] == 1)
    low, high = binom.interval(0.9999, by_group[1], 1 / 10)
    assert all(low <= by_patient[f"m{i}"] <= high for i in range(10)), "one man has eleven images"


def test_by_items_the_patient_with_many_images_weighs_more(groups):
    drawn = list(GroupBalancedSampler(groups, num_samples=6000, by_patient=False))
    people = Counter(groups.patients[i] for i in drawn if groups.codes[i] == 1)
    assert people["m0"] / people.total() == pytest.approx(11 / 20, abs=0.05)


def test_draws_depend_on_seed_and_epoch_alone(groups):
    first, again, other = (GroupBalancedSampler(groups, seed=seed) for seed in (3, 3, 4))
    assert list(first) == list(again) == list(first)
    assert list(first) != list(other)
    first.set_epoch(1)
    assert list(first) != list(again)
    again.set_epoch(1)
    assert list(first) == list(again)


@pytest.mark.parametrize("replicas", [2, 3, 4])
def test_processes_share_the_draws_of_one(groups, replicas):
    parts = [list(GroupBalancedSampler(groups, num_samples=60, num_replicas=replicas, rank=r)) for r in range(replicas)]
    assert {len(part) for part in parts} == {60 // replicas}
    whole = [index for together in zip(*parts, strict=True) for index in together]
    assert whole == list(GroupBalancedSampler(groups, num_samples=60))


def test_the_length_is_rounded_up_to_a_whole_share(groups):
    sampler = GroupBalancedSampler(groups, num_samples=10, num_replicas=4, rank=3)
    assert len(sampler) == len(list(sampler)) == 3


def test_an_epoch_needs_a_draw(groups):
    with pytest.raises(InputError, match="at least one draw"):
        GroupBalancedSampler(groups, num_samples=0)


def test_monais_trainer_sets_the_epoch(groups):
    network = torch.nn.Linear(1, 1)
    data = Dataset([{"image": torch.zeros(1), "label": torch.zeros(1)} for _ in range(len(groups))])
    sampler = GroupBalancedSampler(groups, num_samples=4)
    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=3,
        train_data_loader=DataLoader(data, batch_size=2, sampler=sampler),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
    ).run()
    assert sampler.epoch == 3
