# SPDX-License-Identifier: Apache-2.0
"""What a run saw of real and synthetic items, as a finding and as a private list."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from monai_ethics.transforms.recorded import label_text

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.synthesis.mix import MixTable

__all__ = ["Seen", "flag_of", "mix_findings", "mix_table"]

Seen = Counter[tuple[str | None, bool | None, str]]  # item, whether it is synthetic, split: how often it was seen
WORDS = {
    **dict.fromkeys(("true", "yes", "1", "synthetic", "partial"), True),
    **dict.fromkeys(("false", "no", "0", "real"), False),
}


def flag_of(value: Any) -> bool | None:
    """Whether a recorded value says synthetic; ``None`` if it says nothing. Partly synthetic counts as synthetic."""
    text = label_text(value)
    return None if text is None else WORDS.get(text.lower())


def mix_table(seen: Seen) -> MixTable:
    """The counts as the check takes them."""
    from monai_ethics.synthesis.mix import MixTable

    rows = sorted(seen.items(), key=lambda row: (row[0][2], row[0][0] or "", str(row[0][1])))
    return MixTable(
        items=[item for (item, _, _), _ in rows],
        synthetic=[flag for (_, flag, _), _ in rows],
        splits=[split for (_, _, split), _ in rows],
        uses=[count for _, count in rows],
    )


def mix_findings(mixes: Mapping[str, Seen], log: EvidenceLog) -> list[Finding]:
    """The finding of a run, and the list of items in the private part; nothing if no engine was tracked.

    Args:
        mixes: engine to what it saw.
        log: the run's open log, whose pseudonyms stand for the items' names.
    """
    whole: Seen = Counter()
    for seen in mixes.values():
        whole.update(seen)
    if not whole:
        return []
    from monai_ethics.synthesis.mix import SyntheticMix

    hidden: Seen = Counter()
    listed = []
    for (item, flag, split), count in whole.items():
        name = None if item is None else log.pseudonym("file", item)
        hidden[name, flag, split] += count
        listed.append({"item": name, "name": item, "synthetic": flag, "split": split, "uses": count})
    payload = json.dumps(listed, sort_keys=True).encode("utf-8", "backslashreplace")
    log.put_private("mix", payload, media_type="application/json")
    return [SyntheticMix()(mix_table(hidden))]
