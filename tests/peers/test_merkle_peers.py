# SPDX-License-Identifier: Apache-2.0
"""Roots, inclusion and consistency are those of pymerkle, and each side's proofs hold for the other's verifier."""

import random

import pytest

from monai_ethics.provenance.log.tree.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

pytestmark = pytest.mark.peers
pymerkle = pytest.importorskip("pymerkle")


def grown(size, seed):
    """The same entries in their tree and as our leaves."""
    rng = random.Random(seed)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    entries = [rng.randbytes(rng.randrange(0, 40)) for _ in range(size)]
    for entry in entries:
        tree.append_entry(entry)
    return tree, [leaf_hash(entry) for entry in entries]


def included(tree, leaves, index, size):
    """Both proofs are one proof, and each verifier takes it."""
    root = tree.get_root(size)
    theirs = tree.prove_inclusion(index + 1, size)
    ours = inclusion_proof(leaves[:size], index)
    assert [theirs.path[0], *ours] == theirs.path
    assert theirs.path[0] == leaves[index]
    assert verify_inclusion(leaves[index], index, size, theirs.path[1:], root)
    pymerkle.verify_inclusion(leaves[index], root, theirs, index=index + 1, size=size)
    theirs.path = [leaves[index], *ours]
    pymerkle.verify_inclusion(leaves[index], root, theirs)


def consistent(tree, leaves, old, size):
    """The forms differ (theirs also holds the parts of the old root): each verifier is given its own."""
    before, after = tree.get_root(old), tree.get_root(size)
    assert verify_consistency(old, size, before, after, proof=consistency_proof(leaves[:size], old))
    pymerkle.verify_consistency(tree_root(leaves[:old]), tree_root(leaves[:size]), tree.prove_consistency(old, size))


def test_roots_are_the_same_for_every_size_up_to_130():
    tree, leaves = grown(130, 0)
    frontier = Frontier()
    for size, leaf in enumerate(leaves, start=1):
        frontier.append(leaf)
        assert frontier.root() == tree.get_root(size) == tree_root(leaves[:size])


def test_every_inclusion_proof_up_to_130_is_the_same():
    tree, leaves = grown(130, 1)
    pairs = 0
    for size in range(1, 131):
        for index in range(size):
            included(tree, leaves, index, size)
            pairs += 1
    print(f"inclusion: {pairs} proofs of trees of 1 to 130 leaves are those of pymerkle")
    assert pairs == 130 * 131 // 2


def test_every_consistency_proof_up_to_130_holds_on_both_sides():
    tree, leaves = grown(130, 2)
    pairs = 0
    for size in range(1, 131):
        for old in range(1, size + 1):
            consistent(tree, leaves, old, size)
            pairs += 1
    print(f"consistency: {pairs} pairs of trees of 1 to 130 leaves hold on both sides")


def test_larger_trees_of_random_sizes_agree():
    rng = random.Random(3)
    tree, leaves = grown(5_000, 3)
    for _ in range(60):
        size = rng.randrange(131, len(leaves) + 1)
        included(tree, leaves, rng.randrange(size), size)
        consistent(tree, leaves, rng.randrange(1, size + 1), size)
    print("60 random sizes from 131 to 5,000: inclusion and consistency agree")


def test_a_wrong_leaf_root_or_size_is_refused_by_both():
    tree, leaves = grown(97, 4)
    root, theirs = tree.get_root(97), tree.prove_inclusion(13, 97)
    for leaf, against in ((leaves[13], root), (leaves[12], tree.get_root(96))):
        assert not verify_inclusion(leaf, 12, 97, theirs.path[1:], against)
        with pytest.raises(pymerkle.InvalidProof):
            pymerkle.verify_inclusion(leaf, against, theirs, index=13, size=97)
    proof = consistency_proof(leaves, 40)
    assert not verify_consistency(40, 97, tree.get_root(41), root, proof=proof)
    with pytest.raises(pymerkle.InvalidProof):
        pymerkle.verify_consistency(tree.get_root(41), root, tree.prove_consistency(40, 97))
