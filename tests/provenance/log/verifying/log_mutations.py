# SPDX-License-Identifier: Apache-2.0
"""What somebody may do to an evidence folder, each with the status it must end in."""

import json
import unicodedata

from mutated import HEAD, KEY, LOG, REPORTS, Put

from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.head import sign_head
from monai_ethics.provenance.log.tree.merkle import leaf_hash, tree_root

# What is done: each takes (random, world) and gives the changed files and the statuses that a reader must get who has
# the first key and, first, the newest head, second, the site log. One status stands for both.
# The statuses were written down before anything was run.

PARTS = {
    "log": lambda world: [LOG],
    "head": lambda world: [HEAD],
    "payload": lambda world: sorted(name for name in world.files if name.endswith(".bin")),
    "pseudonym key": lambda world: [KEY],
    "report": lambda world: list(REPORTS),
}


def flipped(rng, world, name):
    data = bytearray(world.files[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return {name: bytes(data)}, "altered"


def inserted(rng, world, name):
    data, more = world.files[name], bytes(rng.randrange(1, 256) for _ in range(rng.randint(1, 4)))
    place = rng.randrange(len(data) + 1)
    behind = name == LOG and place == len(data) and b"\n" not in more[:-1]
    return {name: data[:place] + more + data[place:]}, "torn" if behind else "altered"


def deleted(rng, world, name):
    data = world.files[name]
    start = rng.randrange(len(data))
    return {name: data[:start] + data[start + rng.randint(1, 40) :]}, "altered"


def replaced(rng, world, name):
    return {name: Put(rng.choice(["link", "pipe", "folder"]))}, "altered"


def removed(rng, world, name):
    status = {LOG: "altered", HEAD: "altered", "report.html": "torn", "report.json": "torn"}
    return {name: None}, status.get(name, "redacted")


def _log(lines):
    return {LOG: b"".join(line + b"\n" for line in lines)}


def line_removed(rng, world):
    lines = world.lines
    del lines[rng.randrange(len(lines))]
    return _log(lines), "altered"


def line_duplicated(rng, world):
    lines = world.lines
    place = rng.randrange(len(lines))
    lines.insert(place, lines[place])
    return _log(lines), "torn" if place == len(lines) - 2 else "altered"


def lines_swapped(rng, world):
    lines = world.lines
    first, second = rng.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return _log(lines), "altered"


def lines_shuffled(rng, world):
    lines = world.lines
    rng.shuffle(lines)
    return _log(lines), "altered"


def line_edited(rng, world):
    lines = world.lines
    place = rng.randrange(len(lines))
    entry = json.loads(lines[place])
    _edit(rng, entry)
    lines[place] = canonical(entry)
    return _log(lines), "altered"


def _edit(rng, value):
    """Change one leaf, or remove one field, somewhere in a JSON object."""
    name = rng.choice(sorted(value))
    if isinstance(value[name], dict) and value[name]:
        _edit(rng, value[name])
    elif rng.random() < 0.3:
        del value[name]
    else:
        value[name] = rng.choice(["", 0, -1, None, True, [], {}, "f" * 64, {"x": [1]}, f"{value[name]} "])


def truncated_at_a_line(rng, world):
    lines = world.lines
    return _log(lines[: rng.randrange(len(lines))]), "altered"


def truncated_inside(rng, world):
    data = world.files[LOG]
    return {LOG: data[: rng.randrange(len(data))]}, "altered"


FORMS = {
    "space": lambda line: line.replace(b":", b": ", 1),
    "escape": lambda line: line.replace(b"e", b"\\u0065", 1),
    "carriage return": lambda line: line + b"\r",
    "key twice": lambda line: b'{"seq":0,' + line[1:],
    "decomposed": lambda line: unicodedata.normalize("NFD", line.decode()).encode(),
    "byte order mark": lambda line: b"\xef\xbb\xbf" + line,
    "number": lambda line: line.replace(b'"seq":', b'"seq":0.0e0', 1),
    "surrogate": lambda line: line.replace(b'"time":"', b'"time":"\\ud800', 1),
    "deep": lambda line: line.replace(b'"time"', b'"a":' + b"[" * 70 + b"]" * 70 + b',"time"', 1),
    "line separator": lambda line: line.replace(b'"time":"', b'"time":"\xe2\x80\xa8', 1),
}


def another_form(rng, world):
    lines, form = world.lines, FORMS[rng.choice(sorted(FORMS))]
    place = rng.randrange(len(lines))
    lines[place] = form(lines[place])
    return _log(lines), "altered"


def head_in_another_form(rng, world):
    return {HEAD: FORMS[rng.choice(sorted(FORMS))](world.files[HEAD])}, "altered"


def head_edited(rng, world):
    head = json.loads(world.files[HEAD])
    _edit(rng, head)
    return {HEAD: canonical(head)}, "altered"


def _forge(lines, key, *, endorsed=b""):
    """Sign a whole history again: every key entry announces the forger's key, every head is made anew."""
    done, previous = [], None
    for seq, line in enumerate(lines):
        entry = json.loads(line)
        if entry["kind"] == "key":
            entry["body"] = _key_body(key, entry["body"]["previous"], endorsed)
        if entry["kind"] == "head":
            head = _head(key, done, previous)
            entry["body"], previous = head.to_dict(), head.fingerprint
        done.append(canonical({**entry, "seq": seq}))
    return {**_log(done), HEAD: _head(key, done, previous).to_bytes()}


def _key_body(key, previous, endorsed):
    return {
        "public_key": key.public.hex(),
        "fingerprint": fingerprint(key.public),
        "key": "persistent",
        "previous": previous,
        "endorsement": endorsed.hex() or None,
    }


def _head(key, lines, previous):
    root = tree_root([leaf_hash(line) for line in lines])
    return sign_head(key, size=len(lines), root=root, time="2026-01-01T00:00:00Z", run_id="run 3", previous=previous)


def _edited_note(rng, world):
    lines = world.lines
    places = [place for place, line in enumerate(lines) if b'"kind":"note"' in line]
    place = rng.choice(places)
    entry = json.loads(lines[place])
    entry["body"]["text"] = f"forged {rng.random()}"
    lines[place] = canonical(entry)
    return lines


def signed_again(rng, world):
    return _forge(_edited_note(rng, world), SigningKey.generate(storage="persistent")), "wrong-key"


def signed_again_with_a_forged_endorsement(rng, world):
    key = SigningKey.generate(storage="persistent")
    public = [json.loads(line)["body"]["public_key"] for line in world.lines if b'"kind":"key"' in line]
    said = rng.choice([rng.randbytes(64), key.sign(bytes.fromhex(public[0]) + key.public), b"\0" * 64])
    return _forge(_edited_note(rng, world), key, endorsed=said), "wrong-key"


def gone_on_with_a_forged_key(rng, world):
    """The true history, the true head as an entry, then a key of the forger's and a head by it."""
    key, lines, head = SigningKey.generate(storage="persistent"), world.lines, json.loads(world.files[HEAD])
    more = [
        ("head", head),
        ("key", _key_body(key, head["public_key"], rng.randbytes(64))),
        ("note", {"text": f"forged {rng.random()}"}),
    ]
    lines = [*lines, *_entries(len(lines), more)]
    return {**_log(lines), HEAD: _head(key, lines, world.head).to_bytes()}, "wrong-key"


def signed_by_a_key_that_is_not_announced(rng, world):
    lines = _edited_note(rng, world) if rng.random() < 0.5 else world.lines
    return {**_log(lines), HEAD: _head(SigningKey.generate(), lines, None).to_bytes()}, "altered"


def _entries(first, more):
    about = {"schema": "monai_ethics.entry/1", "time": "2026-01-01T00:00:00Z", "run_id": "run 3"}
    return [
        canonical({**about, "seq": seq, "kind": kind, "body": body})
        for seq, (kind, body) in enumerate(more, start=first)
    ]


def appended(rng, world):
    """Entries that nobody signed, of kinds that could matter."""
    lines, some = world.lines, "0" * 64
    choice = [
        ("note", {"text": "appended"}),
        ("report", {"files": {"report.json": some}}),
        ("erasure", {"commitments": [name[8:-4] for name in PARTS["payload"](world)], "reason": "x"}),
        ("payload", {"commitment": some, "kind": "cases", "media_type": "x", "size_bucket": 1}),
        ("key", {"public_key": some, "previous": None, "endorsement": None}),
        ("key_revocation", {"fingerprint": fingerprint(world.trusted), "reason": "lost"}),
        ("head", json.loads(world.files[HEAD])),
    ]
    head = choice.pop()
    more = rng.choices(choice, k=rng.randint(1, 3))
    return _log([*lines, *_entries(len(lines), [head, *more] if rng.random() < 0.5 else more)]), "torn"


def half_an_entry(rng, world):
    line = _entries(len(world.lines), [("note", {})])[0]
    return {LOG: world.files[LOG] + line[: rng.randrange(1, len(line))]}, "torn"


def empty_blocks(rng, world):
    return {LOG: world.files[LOG] + b"\0" * rng.choice([1, 512, 4096])}, "torn"


def _whole(world, files):
    return {name: files.get(name) for name in {*files, *world.files}}


def an_older_copy(rng, world):
    return _whole(world, rng.choice(world.older)), "stale"


def an_older_copy_beside_newer_payloads(rng, world):
    files = rng.choice(world.older)
    return {name: files.get(name) for name in (LOG, HEAD, *REPORTS)}, "stale"


def another_history(rng, world):
    return _whole(world, world.fork), "stale"


def another_log_in_its_place(rng, world):
    return _whole(world, world.other), ("stale", "trusted")


def an_old_head_on_the_new_log(rng, world):
    return {HEAD: rng.choice(world.older)[HEAD]}, "stale"


def an_old_log_under_the_new_head(rng, world):
    return {LOG: rng.choice(world.older)[LOG]}, "altered"


def a_head_of_another_log(rng, world):
    return {HEAD: world.other[HEAD]}, "altered"


def an_older_report(rng, world):
    name = rng.choice(REPORTS)
    return {name: world.older[rng.choice([0, 3])][name]}, "torn"


def several_payloads_removed(rng, world):
    names = [*PARTS["payload"](world), KEY]
    return dict.fromkeys(rng.sample(names, rng.randint(2, len(names)))), "redacted"


def payloads_exchanged(rng, world):
    first, second = rng.sample(PARTS["payload"](world), 2)
    return {first: world.files[second], second: world.files[first]}, "altered"


def private_part_replaced(rng, world):
    return {"private": Put(rng.choice(["pipe", "private link"]))}, "altered"


def something_put_beside_it(rng, world):
    """No evidence is changed by what no entry names: a note tells of it."""
    name = rng.choice([f"private/{rng.randbytes(32).hex()}.bin", f"private/.x.{rng.random()}.tmp", ".head.json.1.tmp"])
    return {name: rng.randbytes(40)}, "trusted"


def nothing(rng, world):
    name = rng.choice(sorted(world.files))
    return {name: world.files[name]}, "trusted"


EACH = {
    f"{part}: {kind.__name__}": (kind, part)
    for part in PARTS
    for kind in (flipped, inserted, deleted, replaced, removed)
}
WHOLE = (
    line_removed,
    line_duplicated,
    lines_swapped,
    lines_shuffled,
    line_edited,
    truncated_at_a_line,
    truncated_inside,
    another_form,
    head_in_another_form,
    head_edited,
    signed_again,
    signed_again_with_a_forged_endorsement,
    gone_on_with_a_forged_key,
    signed_by_a_key_that_is_not_announced,
    appended,
    half_an_entry,
    empty_blocks,
    an_older_copy,
    an_older_copy_beside_newer_payloads,
    another_history,
    another_log_in_its_place,
    an_old_head_on_the_new_log,
    an_old_log_under_the_new_head,
    a_head_of_another_log,
    an_older_report,
    several_payloads_removed,
    payloads_exchanged,
    private_part_replaced,
    something_put_beside_it,
    nothing,
)
KINDS = (*EACH, *(kind.__name__.replace("_", " ") for kind in WHOLE))


def mutate(name, rng, world):
    """Changes of a kind, and the statuses they must end in; what equals the folder by chance is trusted."""
    if name in EACH:
        kind, part = EACH[name]
        changes, status = kind(rng, world, rng.choice(PARTS[part](world)))
    else:
        changes, status = WHOLE[KINDS.index(name) - len(EACH)](rng, world)
    if all(content == world.files.get(file) for file, content in changes.items()):
        status = "trusted"
    return changes, (status, status) if isinstance(status, str) else status
