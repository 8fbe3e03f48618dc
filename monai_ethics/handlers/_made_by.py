# SPDX-License-Identifier: Apache-2.0
"""Which model a run used or made: its weights, its bundle, and the training that wrote the weights, where known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from monai_ethics.handlers._environment import determinism
from monai_ethics.handlers._model_digest import NETWORKS, state_digest

if TYPE_CHECKING:
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.handlers.session import RunSession

__all__ = ["Origin", "checkpoint_weights", "model_origin", "synthesis_fields"]

MOST_FILES, MOST_BYTES = 20, 8 << 30  # checkpoints whose weights are digested when a run ends
STATES = (".pt", ".pth", ".ckpt")
DISCRIMINATORS = ("d_network",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a record says of the model.

    Args:
        model: fields of its `model`.
        parents: the training that wrote the weights, if known.
    """

    model: Mapping[str, Any]
    parents: tuple[Mapping[str, str], ...]


def model_origin(session: RunSession, folders: Sequence[Path], *, training: bool) -> Origin:
    """The model of a run.

    Args:
        session: the run, with the digests that the recorder took.
        folders: evidence folders and site logs that may know the weights.
        training: whether the run made new weights; the start of those is not called unknown then.
    """
    from monai_ethics.provenance.records.models import known_models

    noted: dict[str, Any] = dict(session.activity.get("model", {}))
    start, end = _main(noted, "start"), _main(noted, "end")
    weights = (end or None) if training else start
    known = known_models(folders).get(start) if start else None
    model: dict[str, Any] = {**noted, **_bundle(session)}
    if noted:
        model["weights_sha256"] = weights
    if known is not None:
        model["trained_on_synthetic"] = known.synthetic
        model["training_set"] = known.root
    elif start and not training:
        model["unknown_origin"] = True
    parents = ({"id": known.record, "role": "model"},) if known is not None else ()
    return Origin(model=model, parents=parents)


def _bundle(session: RunSession) -> dict[str, Any]:
    about = session.config.get("bundle") or {}
    return {key: about[key] for key in ("bundle", "license") if about.get(key)}


def _main(noted: Mapping[str, Any], moment: str) -> str | None:
    """Digest of the network that gives the results: of several engines' the training one's, never a discriminator."""
    trained = {name.rpartition(".")[0] for name in noted if name.endswith(".end")}
    found = [
        (name.rpartition(".")[0] not in trained, _place(name), name, value["sha256"])
        for name, value in noted.items()
        if name.endswith(f".{moment}") and isinstance(value, Mapping) and value.get("sha256")
    ]
    return str(min(found)[3]) if found else None


def _place(name: str) -> int:
    part = next((i for i, network in enumerate(NETWORKS) if f".{network}." in name), len(NETWORKS))
    return part + len(NETWORKS) * any(f".{network}." in name for network in DISCRIMINATORS)


def synthesis_fields(session: RunSession, folders: Sequence[Path]) -> dict[str, Any]:
    """Fields that the record of every image which this run generated shares: who made it, how, and from what.

    Args:
        session: the run.
        folders: evidence folders and site logs that may know the generator.
    """
    told = dict(session.described.get("generation", {}))
    origin = model_origin(session, folders, training=False)
    bundle = origin.model.get("bundle") or {}
    networks = sorted({str(v.get("class")) for k, v in origin.model.items() if k.endswith(".start")})
    model = {key: value for key, value in origin.model.items() if not key.endswith((".start", ".end"))}
    model["generator"] = told.pop("generator", None) or bundle.get("name") or ", ".join(networks) or None
    model["version"] = told.pop("version", None) or bundle.get("version") or model.get("weights_sha256")
    states = determinism()
    activity = {
        "software": "monai_ethics",
        "seed": states["monai_seed"] or states["torch_seed"],
        "sampler": _sampler(session),
        "config_files": dict(session.config.get("files", {})),
        **told,
    }
    parents = [*origin.parents, *told.get("parents", ())]
    activity.pop("parents", None)
    return {"type": "synthesis", "model": model, "activity": activity, "parents": parents}


def _sampler(session: RunSession) -> Any:
    """Scheduler and its steps: as an engine's inferer holds it, else as the config declares it."""
    noted = [
        facts["sampler"] for facts in session.activity.values() if isinstance(facts, Mapping) and "sampler" in facts
    ]
    return next((one for one in noted if one), None) or (session.config.get("bundle") or {}).get("sampler")


def checkpoint_weights(files: Sequence[OutputFile]) -> dict[Path, list[str]]:
    """Digests of the weights in checkpoint files, as `model_digest` gives them for the network that loads them.

    Args:
        files: files that a run wrote; large ones are mapped into memory, and no code in them is run.
    """
    found: dict[Path, list[str]] = {}
    left = MOST_BYTES
    for file in [file for file in files if file.role == "checkpoint" and file.path.suffix in STATES][-MOST_FILES:]:
        left -= file.size
        if left < 0:
            break
        try:
            content = torch.load(file.path, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # TorchScript, pickled objects, or another format: it has the digest of its bytes
            continue
        found[file.path] = sorted({state_digest(state) for state in _states(content)})
    return found


def _states(content: Any) -> list[dict[str, torch.Tensor]]:
    """State dicts in a checkpoint: itself, or its entries that are."""
    if not isinstance(content, Mapping):
        return []
    own = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if own:
        return [own]
    inner = [value for value in content.values() if isinstance(value, Mapping)]
    tensors = [{str(k): v for k, v in value.items() if isinstance(v, torch.Tensor)} for value in inner]
    return [state for state in tensors if state]
