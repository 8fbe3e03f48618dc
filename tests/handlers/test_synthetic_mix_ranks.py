# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.dist
WORKER = Path(__file__).with_name("mix_ranks.py")


def test_two_processes_count_every_item_once_an_epoch(tmp_path, warm):
    done = warm([WORKER, tmp_path], ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    wanted = [[f"i{k}", k in (0, 3), 2] for k in range(7)]
    for rank in (0, 1):
        seen = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert seen["padded"] == seen["unequal"] == wanted
