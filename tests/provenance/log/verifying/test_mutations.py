# SPDX-License-Identifier: Apache-2.0
"""Ten thousand random changes of an evidence folder: each ends in the status set before, or in honest words."""

import random
import time
from collections import Counter

import pytest
from log_mutations import KINDS, mutate
from mutated import build, put, restore

from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.judge import STATUSES, judge
from monai_ethics.provenance.log.verifying.outside import Outside
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.verifying.witnessed import load_site

INTACT = ("trusted", "redacted")


@pytest.fixture
def world(tmp_path):
    return build(tmp_path)


WORDS = {"wrong-key": "changed the log and signed it again", "stale": "an older copy"}


def _honest(found, world, told):
    """Whoever lacks the key, the head or both is told, where the change is not seen, that it cannot be seen."""
    for outside in (Outside(), Outside(trusted=[world.trusted]), Outside(expected=world.head)):
        blind = judge(found, outside)
        assert blind.status != "trusted" or outside.trusted or outside.expected
        if blind.intact and told.status not in INTACT:
            assert any(WORDS[told.status] in sentence for sentence in blind.unseen), told.status


def _hold(world, seed, count):
    """Mutate, verify with head and with site log, put back; returns kind and status of each, and the longest time."""
    rng, seen, slowest = random.Random(seed), Counter(), 0.0
    site = load_site(world.site, trusted=[world.trusted])
    for number in range(count):
        name = KINDS[number % len(KINDS)]
        changes, (with_head, with_site) = mutate(name, rng, world)
        put(world, changes)
        begun = time.process_time()
        told = verify_evidence(world.folder, trusted=[world.trusted], expect_head=world.head)
        slowest = max(slowest, time.process_time() - begun)
        assert told.status == with_head, (seed, number, name, told.text)
        assert told.intact == (with_head in INTACT), (seed, number, name)
        found = audit(world.folder)
        witnessed = judge(found, site.outside(found.log_id, trusted=[world.trusted]))
        assert witnessed.status == with_site, (seed, number, name, witnessed.text)
        _honest(found, world, told)
        restore(world, changes)
        seen[name, told.status] += 1
    for last in ({"expect_head": world.head}, {"site": world.site}):
        assert verify_evidence(world.folder, trusted=[world.trusted], **last).status == "trusted"
    return seen, slowest


def test_each_kind_of_change_has_its_status_with_the_site_log(world):
    for name in KINDS:
        changes, (_, with_site) = mutate(name, random.Random(name), world)
        put(world, changes)
        assert verify_evidence(world.folder, trusted=[world.trusted], site=world.site).status == with_site, name
        restore(world, changes)


def test_three_hundred_random_changes_end_in_the_right_status(world):
    seen, _ = _hold(world, 1, 300)
    assert {status for _, status in seen} >= {"trusted", "stale", "redacted", "torn", "altered", "wrong-key"}


@pytest.mark.slow
def test_ten_thousand_random_changes_end_in_the_right_status(world):
    begun = time.process_time()
    seen, slowest = _hold(world, 20260102, 10_000)
    took = time.process_time() - begun
    columns = [status for status in STATUSES if any(status == found for _, found in seen)]
    print(f"\n{len(world.lines)} entries; 10000 changes in {took:.0f} s of one core")
    print(f"slowest verification {1000 * slowest:.0f} ms of one core")
    print("| change | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in KINDS:
        print(f"| {name} | " + " | ".join(str(seen[name, status] or "") for status in columns) + " |")
    total = [str(sum(seen[name, status] for name in KINDS)) for status in columns]
    print("| **all** | " + " | ".join(total) + " |")
