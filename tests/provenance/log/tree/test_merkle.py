# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from monai_ethics.provenance.log.tree.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# the eight leaves and the roots of the reference vectors of RFC 6962 implementations (certificate-transparency)
DATA = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(data) for data in DATA]


def _node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_roots_are_those_of_the_reference_vectors():
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == hashlib.sha256().digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        frontier.append(leaf)
        assert frontier.root().hex() == root


def test_root_of_three_leaves_by_hand():
    a, b, c = LEAVES[:3]
    assert tree_root(LEAVES[:3]) == _node(_node(a, b), c)


def test_inclusion_path_by_hand():
    assert inclusion_proof(LEAVES[:3], 0) == [LEAVES[1], LEAVES[2]]
    assert inclusion_proof(LEAVES[:3], 2) == [_node(LEAVES[0], LEAVES[1])]


@pytest.mark.parametrize("size", range(1, 18))
def test_every_inclusion_proof_holds_and_no_other_leaf_fits(size):
    leaves = [leaf_hash(bytes([i])) for i in range(size)]
    root = tree_root(leaves)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert verify_inclusion(leaves[index], index, size, proof, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
        assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
        assert not verify_inclusion(leaves[index], size, size, proof, root)
        if size > 1:
            assert not verify_inclusion(leaves[index], (index + 1) % size, size, proof, root)


@pytest.mark.parametrize("size", range(1, 18))
def test_every_consistency_proof_holds_and_a_changed_prefix_fails(size):
    leaves = [leaf_hash(bytes([i])) for i in range(size)]
    root = tree_root(leaves)
    for old in range(1, size + 1):
        old_root, proof = tree_root(leaves[:old]), consistency_proof(leaves, old)
        assert verify_consistency(old, size, old_root, root, proof=proof)
        assert not verify_consistency(old, size, leaf_hash(b"x"), root, proof=proof)
        assert not verify_consistency(old, size, old_root, leaf_hash(b"x"), proof=proof)
        assert not verify_consistency(old, size, old_root, root, proof=[*proof, root])
        assert not verify_consistency(size + 1, size, old_root, root, proof=proof)
        if len(proof) > 1:
            assert not verify_consistency(old, size, old_root, root, proof=proof[:-1])


def test_proofs_outside_the_tree_are_refused():
    with pytest.raises(IndexError, match="no such leaf"):
        inclusion_proof(LEAVES, 8)
    with pytest.raises(IndexError, match="no such tree size"):
        consistency_proof(LEAVES, 0)
    assert not verify_consistency(3, 8, LEAVES[0], LEAVES[1], proof=[])


def test_a_copied_frontier_grows_alone():
    frontier = Frontier(LEAVES[:3])
    other = frontier.copy()
    other.append(LEAVES[3])
    assert frontier.size == 3
    assert frontier.root() == tree_root(LEAVES[:3])
    assert other.root() == tree_root(LEAVES[:4])
