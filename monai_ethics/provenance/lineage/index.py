# SPDX-License-Identifier: Apache-2.0
"""The index over logs: verified first, taken up where it ended, and rebuilt from the logs at any time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from monai_ethics.errors import GateError, InputError, SchemaError
from monai_ethics.provenance.keys.home import stored_secret
from monai_ethics.provenance.lineage.graph import ROLES, Facts, Links
from monai_ethics.provenance.lineage.settle import settle
from monai_ethics.provenance.lineage.store import INDEXES, Store
from monai_ethics.provenance.log.files.payload import payload_path
from monai_ethics.provenance.log.reading.entries import Covered, parse_entry, raw_lines
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash
from monai_ethics.provenance.log.verifying.verify import Verification, as_signed, verify_evidence
from monai_ethics.provenance.log.writing.relied import relied_on

__all__ = ["Indexed", "bulk", "link_key", "refresh"]

LINK_KEY_NAME = "lineage.key"
MANY = 50_000  # new edges for which the index over them is made anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What indexing one log did.

    Args:
        log_id: the log's own id.
        source: its number in the index.
        entries: entries of the log.
        added: entries that were read now; the others were indexed before.
        status: what its verification said.
        key_id: id of the pseudonym key announced last, or ``None``.
    """

    log_id: str
    source: int
    entries: int
    added: int
    status: str
    key_id: str | None


def link_key(*, home: Path | None = None) -> bytes:
    """The key that names images in an index, made on first use; it lies beside the signing key, outside all evidence.

    Args:
        home: folder of the key; that of the signing key by default.

    Raises:
        InputError: if it has another length, or others may read it.
    """
    try:
        key = stored_secret(LINK_KEY_NAME, lambda: os.urandom(32), home=home)
    except OSError:
        return os.urandom(32)  # an index of this process only
    if len(key) != 32:
        raise InputError("Expected a lineage key of 32 bytes in the key home: got another length. Delete it.")
    return key


def refresh(
    store: Store,
    folders: Sequence[Path],
    *,
    trusted: Sequence[bytes] = (),
    even_altered: bool = False,
    only_these: bool = False,
    key: bytes | None = None,
) -> list[Indexed]:
    """Bring the index up to date with some logs.

    Args:
        store: the open index.
        folders: evidence folders and site logs.
        trusted: keys one of which must have signed each log.
        even_altered: index logs that are not as they were signed; by default they are refused.
        only_these: forget every other log that the index holds.
        key: names the images; `link_key` by default.

    Returns:
        What was done with each log, in the order of `folders`.

    Raises:
        GateError: if a log is altered, or is no continuation of what was indexed of it.
        InputError: if a folder holds no log.
    """
    links = Links(key or link_key())
    done = []
    with store.transaction():
        changed = _same_key(store, links)
        for position, folder in enumerate(folders, start=1):
            if even_altered:
                found = verify_evidence(folder, trusted=trusted)
            else:
                found = as_signed(folder, trusted=trusted, called=f"evidence {position}")
            item = _take(store, Path(folder), found, links, position=position, even_altered=even_altered)
            done.append(item)
            changed |= item.added > 0
        if only_these:
            given = {item.log_id for item in done}
            for source, log_id in store.execute("SELECT id, log_id FROM lineage_source"):
                if log_id not in given:
                    _forget(store, source)
                    changed = True
        if changed:
            settle(store)
    return done


def _same_key(store: Store, links: Links) -> bool:
    """Whether the index was emptied because its images are named by another key."""
    mine = sha256_hex(b"monai_ethics.lineage_key/1\x00" + links.key)[:32]
    found = store.execute("SELECT value FROM lineage_meta WHERE key = 'link_key'")
    if found == [(mine,)]:
        return False
    if found and store.dialect != "sqlite":
        raise InputError(
            "Expected the lineage key with which this store was made: got another. "
            "Put its file `lineage.key` into your key home."
        )
    for table in ("source", "node", "edge", "holds", "gap", "payload", "role", "told", "output", "short"):
        store.execute(f"DELETE FROM lineage_{table}")
    store.execute("DELETE FROM lineage_meta WHERE key = 'link_key'")
    store.insert("lineage_meta", ("key", "value"), [("link_key", mine)])
    return bool(found)


def _take(
    store: Store, folder: Path, found: Verification, links: Links, *, position: int, even_altered: bool
) -> Indexed:
    log_id = _log_id(folder)
    rows = store.execute("SELECT id, size, root, key_id FROM lineage_source WHERE log_id = :log_id", log_id=log_id)
    source, size, root, key_id = rows[0] if rows else (None, 0, "", None)
    if source is not None and _redacted(store, source, folder):
        _forget(store, source)  # what was erased since must not live on in the index
        source, size, key_id = None, 0, None
    under = None if even_altered else relied_on(folder, found)
    facts, frontier, same = _read(folder, links, start=size, root=root, key_id=key_id, under=under)
    if not same:
        if not even_altered:
            raise GateError(
                f"Expected evidence {position} to continue what was indexed of it: got an older or another history. "
                "Use the newest copy, or delete the index."
            )
        _forget(store, source)
        source, size = None, 0
        facts, frontier, _ = _read(folder, links, start=0, root="", key_id=None)
    if source is None:
        source = _next(store, "lineage_source")
    _add(store, facts, source)
    store.execute("DELETE FROM lineage_source WHERE id = :id", id=source)
    row = (source, log_id, frontier.size, frontier.root().hex(), found.status, facts.key_id)
    columns = ("id", "log_id", "size", "root", "status", "key_id")
    store.insert("lineage_source", columns, [row])
    return Indexed(
        log_id=log_id,
        source=source,
        entries=frontier.size,
        added=frontier.size - size,
        status=found.status,
        key_id=facts.key_id,
    )


def _log_id(folder: Path) -> str:
    for line, complete in raw_lines(folder):
        try:
            log_id = parse_entry(line, 0).body.get("log_id") if complete else None
        except SchemaError:
            break
        if isinstance(log_id, str) and log_id:
            return log_id
        break
    raise InputError("Expected a log that begins with its id: got another. Give the folder that a run wrote.")


def _read(
    folder: Path, links: Links, *, start: int, root: str, key_id: str | None, under: Covered | None = None
) -> tuple[Facts, Frontier, bool]:
    """Entries from `start` on, the tree over all, and whether the first `start` are those that `root` stands for.

    Of a log that was verified only what its head covers counts: see `iter_entries`.
    """
    facts, frontier = Facts(key_id=key_id), Frontier()
    same = start == 0
    for seq, (line, complete) in enumerate(islice(raw_lines(folder), under.size if under else None)):
        if not complete:
            break
        if seq >= start:
            try:
                entry = parse_entry(line, seq)
            except SchemaError:
                break  # a broken last line: verification has told of any other
            facts.take(entry, folder, links)
        frontier.append(leaf_hash(line))
        if frontier.size == start:
            same = frontier.root().hex() == root
            if not same:
                break
    if under and same and frontier.root().hex() != under.root:
        raise GateError(
            "Expected a log that stays as it was verified: got another one while it was read. Run it again."
        )
    return facts, frontier, same


def _redacted(store: Store, source: int, folder: Path) -> bool:
    """Whether a payload that was read is there no longer."""
    read = store.execute("SELECT commitment FROM lineage_payload WHERE source = :source", source=source)
    return not all(payload_path(folder, commitment).is_file() for (commitment,) in read)


def _next(store: Store, table: str) -> int:
    return int(store.execute(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {table}")[0][0])


def _add(store: Store, facts: Facts, source: int) -> None:
    """Write nodes by new numbers, then what refers to them."""
    known: dict[str, int] = dict(store.execute("SELECT name, id FROM lineage_node"))
    number = _next(store, "lineage_node")
    rows = []
    for name, kind in facts.named.items():
        said = facts.nodes.get(name, (kind, None, None))
        if name not in known:
            known[name] = number
            rows.append((number, name, *said))
            number += 1
        elif name in facts.nodes:
            sql = "UPDATE lineage_node SET kind = :kind, type = :type, synthetic = :synthetic WHERE id = :id"
            store.execute(sql, id=known[name], kind=said[0], type=said[1], synthetic=said[2])
    store.insert("lineage_node", ("id", "name", "kind", "type", "synthetic"), rows)
    store.insert("lineage_holds", ("node", "source"), [(known[name], source) for name in facts.nodes])
    store.insert("lineage_payload", ("source", "commitment"), [(source, item) for item in facts.payloads])
    roles = _roles(store, {role for _, _, role in facts.edges})
    edges = sorted((known[parent], known[child], roles[role], source) for parent, child, role in facts.edges)
    with bulk(store, len(edges)):
        store.insert("lineage_edge", ("parent", "child", "role", "source"), edges)
    store.insert("lineage_gap", ("node", "source", "why"), [(known[name], source, why) for name, why in facts.gaps])


def _roles(store: Store, names: set[str]) -> dict[str, int]:
    known: dict[str, int] = ROLES | dict(store.execute("SELECT name, id FROM lineage_role"))
    start = max(known.values()) + 1
    known |= {name: number for number, name in enumerate(sorted(names - set(known)), start=start)}
    store.insert("lineage_role", ("id", "name"), [(number, name) for name, number in known.items()])
    return known


@contextlib.contextmanager
def bulk(store: Store, rows: int) -> Iterator[None]:
    """Many rows come in without the index over them, which is made anew: it costs a fifth."""
    name = "lineage_edge_up"
    if rows < MANY:
        yield
        return
    store.execute(f"DROP INDEX IF EXISTS {name}")
    yield
    store.execute(f"CREATE INDEX {name} ON {INDEXES[name]}")


def _forget(store: Store, source: int | None) -> None:
    """Take out everything that only this log said."""
    for table in ("edge", "holds", "gap", "payload"):
        store.execute(f"DELETE FROM lineage_{table} WHERE source = :source", source=source)
    store.execute("DELETE FROM lineage_source WHERE id = :source", source=source)
    store.execute(
        "UPDATE lineage_node SET type = NULL, synthetic = NULL WHERE id NOT IN (SELECT node FROM lineage_holds)"
    )
    store.execute(
        "DELETE FROM lineage_node WHERE id NOT IN (SELECT node FROM lineage_holds) "
        "AND id NOT IN (SELECT parent FROM lineage_edge) AND id NOT IN (SELECT child FROM lineage_edge) "
        "AND id NOT IN (SELECT node FROM lineage_gap)"
    )
