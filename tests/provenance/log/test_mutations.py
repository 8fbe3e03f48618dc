# SPDX-License-Identifier: Apache-2.0
"""Ten thousand random changes of an evidence folder: each ends in the status set before, or in honest words."""

import random
import time
from collections import Counter

import pytest
from mutations import KINDS, build, mutate, put, restore

from monai_ethics.provenance.log.audit import audit
from monai_ethics.provenance.log.judge import STATUSES, Outside, judge
from monai_ethics.provenance.log.verify import verify_evidence

INTACT = ("trusted", "redacted")


@pytest.fixture
def world(tmp_path):
    return build(tmp_path)


def _honest(blind, told):
    """What a reader without key and head is told: where the change is not seen, that such a change cannot be seen."""
    assert blind.status != "trusted"
    if blind.intact and told.status not in INTACT:
        words = {"wrong-key": "changed the log and signed it again", "stale": "an older copy"}
        assert any(words[told.status] in sentence for sentence in blind.unseen), told.status


def _hold(world, seed, count, *, every):
    """Mutate, verify three times, put back; returns kind and status of each."""
    rng, seen, slowest = random.Random(seed), Counter(), 0.0
    for number in range(count):
        name = KINDS[number % len(KINDS)]
        changes, (with_head, with_site) = mutate(name, rng, world)
        put(world, changes)
        begun = time.perf_counter()
        told = verify_evidence(world.folder, trusted=[world.trusted], expect_head=world.head)
        slowest = max(slowest, time.perf_counter() - begun)
        assert told.status == with_head, (seed, number, name, told.text)
        assert told.intact == (with_head in INTACT), (seed, number, name)
        if number % every == 0 or with_site != with_head:
            witnessed = verify_evidence(world.folder, trusted=[world.trusted], site=world.site)
            assert witnessed.status == with_site, (seed, number, name, witnessed.text)
        _honest(judge(audit(world.folder), Outside()), told)
        restore(world, changes)
        seen[name, told.status] += 1
    last = verify_evidence(world.folder, trusted=[world.trusted], expect_head=world.head)
    assert last.status == "trusted"
    return seen, slowest


def test_three_hundred_random_changes_end_in_the_right_status(world):
    seen, _ = _hold(world, 1, 300, every=1)
    assert {status for _, status in seen} >= {"trusted", "stale", "redacted", "torn", "altered", "wrong-key"}


@pytest.mark.slow
def test_ten_thousand_random_changes_end_in_the_right_status(world):
    begun = time.perf_counter()
    seen, slowest = _hold(world, 20260102, 10_000, every=1)
    took = time.perf_counter() - begun
    columns = [status for status in STATUSES if any(status == found for _, found in seen)]
    print(f"\n{len(world.lines)} entries; 10000 changes in {took:.0f} s; slowest verification {1000 * slowest:.0f} ms")
    print("| change | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in KINDS:
        print(f"| {name} | " + " | ".join(str(seen[name, status] or "") for status in columns) + " |")
    total = [str(sum(seen[name, status] for name in KINDS)) for status in columns]
    print("| **all** | " + " | ".join(total) + " |")
