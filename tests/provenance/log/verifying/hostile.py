# SPDX-License-Identifier: Apache-2.0
"""Logs that verify and whose content is hostile: whoever holds a key can sign anything."""

from __future__ import annotations

import json
import os
import random
from copy import deepcopy

from monai_ethics.evidence import Curve, Estimate, Finding, Limit, Observation, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.files.payload import commitment_of, key_id_of
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.head import sign_head
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash

HEX32, HEX64, RECORD = "ab" * 16, "cd" * 32, "sha256:" + "ef" * 32
SOURCE = Source(title="A paper", locator="section 1", url="https://example.org/paper")
ESTIMATE = Estimate(name="gap", value=0.1, unit="1", n=40, n_unit="patients", estimand="difference", low=0.0, high=0.2,
                    level=0.95, method="bootstrap", group={"sex": "F"})  # fmt: skip
FINDING = Finding(
    check="fairness.score_gap", title="Does it differ?", stage=Stage.EVALUATION, verdict=Verdict.FAILED,
    statement="It differs.", subjects=("dice",), estimates=(ESTIMATE,), sources=(SOURCE,), accounting={"used": 40},
    observations=(Observation(label="nearest pair", items=(HEX32,), value=1.0, unit="1"),),
    parameters={"attribute": "sex", "family": ["sex"], "level": 0.95, "seed": 1}, seed=1,
    limit=Limit(estimate="gap", value=0.05, direction="at_most", source=SOURCE), limitations=("It is small.",),
).to_dict()  # fmt: skip
DIGESTS = {"voxel_v1": HEX64, "geometry_v1": HEX64, "slices": [HEX64, HEX64], "robust_v1": "00" * 16}
LEAF = {"subject": HEX32, "patient": True, "voxel_v1": HEX64, "synthetic": "no", "salt": HEX32}
ROWS = tuple(f"case{number:02}" for number in range(40))
SCORES = ScoreTable(metric="dice", unit="1", higher_is_better=True, cases=ROWS, patients=ROWS, misses_known=False,
                    values=tuple(number / 50 for number in range(40)), outcomes=("scored",) * 40).to_dict()  # fmt: skip
LABELS = BinaryScores(target="y", cases=ROWS, patients=ROWS, y_true=(True, False) * 20,
                      y_score=tuple(number / 50 for number in range(40))).to_dict()  # fmt: skip
#: private payloads whose content is whatever their writer liked
PAYLOADS = {
    "scores": [SCORES], "labels": [LABELS], "cases": "case\tsex\na\tF\n", "digests": DIGESTS,
    "training_set": {"leaves": [LEAF]}, "items": [{"set": "train", "item": HEX32}], "sweep": "seed,case\n1,a\n",
}  # fmt: skip
BODIES = {
    "open": {"tool": "monai_ethics 0", "log_id": HEX32},
    "pseudonym_key": {"key_id": HEX32},
    "key": {"public_key": HEX64, "fingerprint": HEX64, "key": "persistent", "previous": HEX64, "endorsement": None},
    "head": {"schema": "monai_ethics.head/1", "size": 3, "root": HEX64, "time": "2026-01-02T03:04:05Z", "run_id": "r",
             "public_key": HEX64, "key": "persistent", "previous": None, "signature": HEX64 * 2},
    "repair": {"truncated_bytes": 3, "unsealed_entries": 1},
    "run": {"status": "completed", "environment": {"packages": {"torch": "2.13.0"}}, "inputs": {"scores": HEX64}},
    "environment": {"packages": {"torch": "2.13.0"}, "device": "cpu"},
    "inputs": {"attributes": HEX64},
    "finding": FINDING,
    "record": {"schema": "monai_ethics.provenance/1", "type": "synthesis", "synthetic": "yes", "id": RECORD,
               "subjects": [{"item": HEX32, "patient": HEX32, "role": "patient", "media_type": "image/png",
                             "digests": {"voxel_v1": HEX64}, "shape": [8, 8]}],
               "parents": [{"id": "sha256:" + "12" * 32, "role": "model"}], "license": "CC-BY-4.0",
               "activity": {"software": "x", "seed": 1, "set": {"role": "training set", "root": HEX64, "n": 2}},
               "model": {"weights_sha256": HEX64, "unknown_origin": True, "bundle": {"name": "b", "version": "1"},
                         "net.end": {"sha256": HEX64}}, "limits": ["not for diagnosis"], "intended_use": "research",
               "consent_refs": [HEX32], "consent": {"basis": "waiver"}, "agent": {"software": "x"}},
    "registered": {"item": HEX32, "record": RECORD, "synthetic": "yes", "digests": DIGESTS},
    "training_set": {"root": HEX64, "n": 1, "subjects": 1, "unattributed": 0, "commitment": HEX64,
                     "role": "training set", "record": RECORD},
    "stored": {"item": HEX32, "role": "checkpoint", "sha256": HEX64, "size": 3, "record": RECORD, "marks": ["header"],
               "patient": HEX32, "weights": [HEX64]},
    "consent": {"subject": HEX32, "purposes": ["training"], "permit": True, "basis": "explicit consent",
                "valid_from": "2026-01-01T00:00:00Z", "valid_to": None, "document": HEX64, "conditions": [],
                "source": "command"},
    "withdrawal": {"subject": HEX32, "purposes": ["training"], "at": "2026-01-01T00:00:00Z"},
    "disposition": {"record": RECORD, "withdrawal": HEX64, "disposition": "retire", "reason": None, "audit": HEX64},
    "subject_erasure": {"subject": HEX32},
    "mitigation": {"case_set": HEX32, "cases": 2, "uses_declared": 0, "before": {"run_id": "r", "head": HEX64}},
    "payload": {"commitment": HEX64, "kind": "cases", "media_type": "text/plain", "size_bucket": 16},
    "erasure": {"commitments": [HEX64], "reason": "asked"},
    "report": {"files": {"report.md": HEX64}},
    "export": {"format": "bids", "sha256": HEX64, "size": 3},
    "key_revocation": {"fingerprint": HEX64, "reason": "lost"},
    "witness": {"log_id": HEX32, "size": 3, "root": HEX64, "head": HEX64, "run_id": "r", "signer": HEX64},
}  # fmt: skip
CURVE = Curve(name="reliability", x_name="p", y_name="rate", x=(0.0, 1.0), y=(0.1, 0.9), n=40, n_unit="patients",
              method="bins", reason="none was computed")  # fmt: skip
DESCRIBED = {**FINDING, "check": "fairness.calibration", "verdict": "measured", "limit": None,
             "curves": [CURVE.to_dict()]}  # fmt: skip
STRUCTURAL = ("open", "pseudonym_key", "key", "head", "erasure", "report")  # verification refuses most changes of them
SAMPLES = [pair for pair in BODIES.items() if pair[0] not in STRUCTURAL] * 3
SAMPLES += [*BODIES.items(), *[("finding", DESCRIBED), ("finding", FINDING)] * 3]


def nested(depth):
    value = {"end": 1}
    for _ in range(depth):
        value = [value]
    return value


JUNK = [
    None, True, False, 0, -1, 2, 10**6, 2**53 - 1, -(2**53) + 1, 0.5, -1e308, 1.7e308, 5e-324, "", " ", "x", "NaN",
    "\x00", "\x1b[2J", "ü", "e\u0301", "\u202e", "\U0001f9e0", "a" * 3000, "../../../etc/passwd", "/dev/zero",
    "sha256:", RECORD, HEX32, HEX64, HEX64.upper(), "-" * 64, "0" * 128, "<script>alert(1)</script>", "$\\frac{$",
    "[/]", "[red]x", "{{ x }}", "=1+1", "yes", "no", "passed", "at_most", "2026-13-45", "9999-12-31T23:59:59+14:00",
    "0001-01-01", [], {}, [None], [[]], [{}], {"a": None}, {"": ""}, ["x"] * 300, list(range(50)), nested(50),
    {str(number): number for number in range(200)}, [HEX64] * 3, {"id": 1, "role": []}, "log.jsonl", "private",
]  # fmt: skip


def places(value, path=()):
    """Every place of a JSON value."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 4)):
            yield from places(value[index], (*path, index))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def changed(body, rng):
    """A copy of a body, which stays an object, with one to three changes of its structure."""
    body = json.loads(json.dumps(body))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice([path for path in places(body) if path] or [()])
        if not path:
            body["x"] = deepcopy(rng.choice(JUNK))
            continue
        holder, key = at(body, path[:-1]), path[-1]
        what = rng.randrange(6)
        if what <= 2:
            holder[key] = deepcopy(rng.choice(JUNK))
        elif what == 3:
            del holder[key]
        elif what == 4:
            holder[key] = [holder[key]] * rng.choice((1, 2, 20))
        else:
            holder[key] = {str(rng.choice(("a", "", "id", "ü"))): holder[key]}
    return body


def hostile_entry(rng):
    """Kind and body: a plausible kind with a broken body, a body under another kind, or a kind nobody knows."""
    kind, body = rng.choice(SAMPLES)
    body = changed(body, rng)
    if rng.random() < 0.08:
        kind = rng.choice([*BODIES, "", "unknown kind", "\x00", "Finding"])
    return kind, body


class Forger:
    """Writes logs over one folder, each signed by its own key so that it verifies.

    Args:
        folder: an existing folder.
        key: the attacker's key.
        seed: of the private payloads.
    """

    def __init__(self, folder, key, *, seed=0):
        self.folder, self.key = folder, key
        self.pseudonym_key = bytes(32)
        private = folder / "private"
        private.mkdir(parents=True, exist_ok=True)
        (private / "pseudonym.key").write_bytes(self.pseudonym_key)
        rng = random.Random(seed)
        self.payloads = []
        for kind, content in PAYLOADS.items():
            hostile = [content, *(changed({"x": content}, rng).get("x") for _ in range(12))]
            texts = [json.dumps(value) if not isinstance(value, str) else value for value in hostile]
            for data in (
                *(text.encode("utf-8", "surrogatepass") for text in texts),
                b"",
                b"\xff\xfe",
                b"[" * 9000,
                b"NaN",
            ):
                stored = bytes(32) + data
                name = commitment_of(stored)
                (private / f"{name}.bin").write_bytes(stored)
                self.payloads.append((kind, name))

    def entry(self, rng):
        """A hostile entry; where it commits to something, often to a payload that is there."""
        kind, body = hostile_entry(rng)
        if kind in ("payload", "training_set", "registered") and rng.random() < 0.7:
            of = {"training_set": "training_set", "registered": "digests"}.get(kind)
            name, commitment = rng.choice([pair for pair in self.payloads if of in (None, pair[0])])
            body = {**(body if isinstance(body, dict) else {}), "commitment": commitment}
            if kind == "payload":
                body["kind"] = name
            if kind == "registered":
                body.pop("digests", None)
        return kind, body

    def entries(self, n, rng, *, stored=()):
        """Hostile entries behind announced payloads of the kinds of `stored`, hostile more often than not."""
        known = []
        for kind in stored:
            of_kind = [pair for pair in self.payloads if pair[0] == kind]
            known.append(of_kind[0] if rng.random() < 0.5 else rng.choice(of_kind))
        first = [("payload", {"commitment": name, "kind": kind, "media_type": "application/json", "size_bucket": 16})
                 for kind, name in known]  # fmt: skip
        return [*first, *(self.entry(rng) for _ in range(n))]

    def lines(self, entries, *, run_id="r", opening=True):
        """Entries as lines, behind those that open a log."""
        public = self.key.public
        start = [
            ("open", {"tool": "monai_ethics 0", "log_id": os.urandom(16).hex()}),
            ("pseudonym_key", {"key_id": key_id_of(self.pseudonym_key)}),
            ("key", {"public_key": public.hex(), "fingerprint": fingerprint(public), "key": "persistent",
                     "previous": None, "endorsement": None}),
        ] if opening else []  # fmt: skip
        made = []
        for seq, (kind, body) in enumerate([*start, *entries]):
            entry = {"schema": "monai_ethics.entry/1", "seq": seq, "time": "2026-01-02T03:04:05Z", "run_id": run_id,
                     "kind": kind, "body": body}  # fmt: skip
            try:
                made.append(canonical(entry))
            except Exception:  # what has no canonical form can still be written and signed
                made.append(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
        return made

    def write(self, lines, *, sign=True):
        """Write a log, and the head over all of it."""
        (self.folder / "log.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        if sign:
            frontier = Frontier(map(leaf_hash, lines))
            head = sign_head(self.key, size=frontier.size, root=frontier.root(), time="2026-01-02T03:04:05Z",
                             run_id="r", previous=None)  # fmt: skip
            (self.folder / "head.json").write_bytes(head.to_bytes())


def broken_bytes(line, rng):
    """A line with its bytes changed: flips, cuts, insertions, doubled keys, what JSON does not have."""
    what = rng.randrange(12)
    place = rng.randrange(len(line))
    if what <= 2:
        return line[:place] + bytes([line[place] ^ (1 << rng.randrange(8))]) + line[place + 1 :]
    if what == 3:
        return line[:place]
    if what == 4:
        return line[:place] + rng.choice((b"\x00", b"\xff", b'"', b"{", b"}", b"[", b",", b"\\", b"\r")) + line[place:]
    if what == 5:
        return line.replace(b'"seq":', b'"seq":0,"seq":', 1)
    if what == 6:
        return line.replace(
            b'"body":', b'"body":' + rng.choice((b"NaN,", b"1e999", b"-Infinity", b"[" * 200, b"null")), 1
        )
    if what == 7:
        numbers = (b"1" * 400, b"1e400", b"-1", b"0.0", b"1E2", b"true", b"18446744073709551616", b'"0"', b"9" * 4000)
        return line.replace(b'"seq":', b'"seq":' + rng.choice(numbers) + b',"x":', 1)
    if what == 8:
        return line.replace(
            b'"time":"', b'"time":"' + rng.choice((b"\\ud800", b"\\udfff\\ud800", b"\xed\xa0\x80", b"\\u0000")), 1
        )
    if what == 9:
        return rng.choice((b"", b"null", b"[]", b"{}", b"0", b'"x"', b"\xef\xbb\xbf" + line, b" " + line, line + b" "))
    if what == 10:
        end = rng.randrange(place, len(line))
        return line[:place] + line[place:end] * 2 + line[end:]
    return line + b"x" * rng.choice((1, 70, 999_990, 1_000_001))
