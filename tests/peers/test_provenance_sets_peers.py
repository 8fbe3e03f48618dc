# SPDX-License-Identifier: Apache-2.0
"""Roots and proofs of training sets are those of pymerkle."""

import random

import pytest

from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.records.sets import Leaf, TrainingSet, proves_absence, proves_inclusion

pytestmark = pytest.mark.peers
pymerkle = pytest.importorskip("pymerkle")


@pytest.mark.parametrize("n", [1, 2, 5, 16, 97])
def test_root_and_proofs_of_a_set_are_those_of_pymerkle(n):
    rng = random.Random(n)
    leaves = [
        Leaf(
            subject=rng.randbytes(16).hex(),
            patient=True,
            voxel_v1=rng.randbytes(32).hex(),
            synthetic="no",
            salt=rng.randbytes(16).hex(),
        )
        for _ in range(n)
    ]
    members = TrainingSet(leaves)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in members.leaves:
        tree.append_entry(canonical(leaf.line))
    root = tree.get_root().hex()
    assert root == members.root
    for place, leaf in enumerate(members.leaves):
        path = tree.prove_inclusion(place + 1).serialize()["path"][1:]  # theirs begins with the leaf itself
        assert members.prove_inclusion(leaf.subject)["path"] == path
        proof = {"leaf": leaf.to_dict(), "index": place, "path": path}
        assert proves_inclusion(proof, subject=leaf.subject, root=root, n=n)
    absent = members.prove_absence("8" * 32)
    assert proves_absence(absent, subject="8" * 32, root=root, n=n)
