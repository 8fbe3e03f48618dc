# SPDX-License-Identifier: Apache-2.0
"""How each case went through an inference: one private row a case, and what holds of all of them in the record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from monai_ethics.handlers._batch import FILE_KEY, PREFERRED, read_rows
from monai_ethics.handlers._destinations import engine_transforms
from monai_ethics.handlers._model_digest import engine_networks

if TYPE_CHECKING:
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["CaseTrace", "inference_facts", "store_trace"]

KIND = "inference_trace"
SERIES = ("SeriesDescription", "0008103E", "0008|103e")
# what DICOM readers keep of the meaning of values
INTENSITY = {
    "0028|1053": "rescale_slope",
    "00281053": "rescale_slope",
    "0028|1052": "rescale_intercept",
    "00281052": "rescale_intercept",
    "0028|1050": "window_center",
    "00281050": "window_center",
    "0028|1051": "window_width",
    "00281051": "window_width",
    "0008|0060": "modality",
    "00080060": "modality",
    "scl_slope": "rescale_slope",
    "scl_inter": "rescale_intercept",
}
OPERATIONS = ("sigmoid", "softmax", "argmax", "threshold", "to_onehot", "rounding", "applied_labels", "orig_keys")
INFERER = ("roi_size", "sw_batch_size", "overlap", "mode", "sigma_scale", "padding_mode")
FORMATS = {
    "nii": "NIfTI",
    "gz": "NIfTI",
    "dcm": "DICOM",
    "": "DICOM",
    "nrrd": "NRRD",
    "npy": "NumPy",
    "mha": "MetaImage",
}


class CaseTrace:
    """Rows of one engine's latest epoch; nothing in them keeps an image alive."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Start an epoch anew."""
        self.rows = []

    def add(self, batch: Any, output: Any) -> None:
        """Take the cases of an iteration, in microseconds each.

        Args:
            batch: `engine.state.batch`.
            output: `engine.state.output`.
        """
        if isinstance(batch, list) and batch and isinstance(batch[0], Mapping):
            results = output if isinstance(output, list) and len(output) == len(batch) else [{}] * len(batch)
            self.rows += [_row(item, result) for item, result in zip(batch, results, strict=True)]
        else:
            self.rows += [{FILE_KEY: row.case} for row in read_rows(batch, (), case_key=None, patient_key=None)]


def _row(item: Mapping[str, Any], result: Any) -> dict[str, Any]:
    image = next((item[key] for key in PREFERRED if key in item), None)
    row: dict[str, Any] = {}
    if isinstance(image, torch.Tensor):
        row |= {
            "shape": tuple(image.shape),
            "dtype": image.dtype,
            "operations": _operations(getattr(image, "applied_operations", ())),
        }
        meta = getattr(image, "meta", None) or {}
        row[FILE_KEY] = meta.get(FILE_KEY)
        row["meta"] = {key: meta[key] for key in (*SERIES, *INTENSITY, "space", "original_channel_dim") if key in meta}
    made = result.get("pred") if isinstance(result, Mapping) else None
    if isinstance(made, torch.Tensor):
        row["output"] = (tuple(made.shape), made.dtype)
    return row


def inference_facts(engine: Any) -> dict[str, Any]:
    """What holds of every case of an engine: reader, precision, how it infers, and what is done to its output."""
    network = next(iter(engine_networks(engine).values()), None)
    weights = next(network.parameters(), None) if network is not None else None
    loader = getattr(engine, "data_loader", None)
    amp = bool(getattr(engine, "amp", False))
    scheduler = _scheduler(engine)
    facts = {
        "readers": _readers(getattr(getattr(loader, "dataset", None), "transform", None)),
        "precision": {
            "autocast": amp,
            "autocast_dtype": str(_autocast(engine)) if amp else None,
            "weights": str(weights.dtype) if weights is not None else None,
        },
        "inferer": _told(getattr(engine, "inferer", None), INFERER),
        "output_operations": [_told(one, OPERATIONS) for one in engine_transforms(engine)],
    }
    return {**facts, "sampler": scheduler} if scheduler else facts


def _autocast(engine: Any) -> Any:
    given = (getattr(engine, "amp_kwargs", None) or {}).get("dtype")
    return given or torch.get_autocast_dtype(getattr(getattr(engine.state, "device", None), "type", "cpu"))


def _scheduler(engine: Any) -> dict[str, Any] | None:
    """Noise scheduler of a diffusion engine, with its steps."""
    for holder in (engine, getattr(engine, "inferer", None)):
        scheduler = getattr(holder, "scheduler", None) or getattr(holder, "noise_scheduler", None)
        if scheduler is not None and hasattr(scheduler, "num_train_timesteps"):
            told = _told(scheduler, ("num_train_timesteps", "num_inference_steps", "prediction_type", "eta"))
            return {**told, "class": type(scheduler).__name__}
    return None


def _readers(transform: Any) -> list[dict[str, Any]]:
    """Readers of the loading transforms, the one that is tried first in front."""
    found = []
    for part in _flat(transform):
        loader = getattr(part, "_loader", part)
        readers = getattr(loader, "readers", None)
        if isinstance(readers, list):
            names = [type(reader).__name__ for reader in reversed(readers)]
            found.append({"class": type(part).__name__, "readers": names, "dtype": str(getattr(loader, "dtype", None))})
    return found


def _flat(transform: Any) -> Iterator[Any]:
    parts = getattr(transform, "transforms", None)
    if isinstance(parts, Sequence) and not isinstance(parts, str):
        for part in parts:
            yield from _flat(part)
    elif transform is not None:
        yield transform


def _told(thing: Any, names: Sequence[str]) -> dict[str, Any]:
    """Class of a thing and those of some settings that it holds as plain values."""
    if thing is None:
        return {}
    told: dict[str, Any] = {"class": type(thing).__name__}
    for holder in (thing, getattr(thing, "converter", None)):
        for name in names:
            value = _plain(getattr(holder, name, None))
            if value not in (None, [], False):
                told.setdefault(name, value)
    return told


def _plain(value: Any) -> Any:
    if hasattr(value, "value") and isinstance(value.value, str):  # an enumeration
        return value.value
    if isinstance(value, (list, tuple)):
        kept = [_plain(item) for item in value]
        return kept if any(item not in (None, False) for item in kept) else None
    return value if isinstance(value, (bool, int, float, str)) else None


def store_trace(
    log: EvidenceLog, traces: Mapping[str, CaseTrace], items: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Keep the rows of a run in the private part; returns what the record says of them.

    Args:
        log: the open log.
        traces: rows by engine.
        items: files with what the background thread found, `ItemDigests.results`.
    """
    values = {str(item["path"]): item.get("values") for item in items}
    rows = [{"engine": name, **_shown(row, log, values)} for name, one in sorted(traces.items()) for row in one.rows]
    if not rows:
        return None
    payload = json.dumps(rows, sort_keys=True, default=str, allow_nan=False).encode("utf-8", "backslashreplace")
    return {"cases": len(rows), "commitment": log.put_private(KIND, payload, media_type="application/json")}


def _shown(row: Mapping[str, Any], log: EvidenceLog, values: Mapping[str, Any]) -> dict[str, Any]:
    name = row.get(FILE_KEY)
    name = str(name[0] if isinstance(name, (list, tuple)) and name else name or "").replace("\\", "/")
    meta = row.get("meta", {})
    made = row.get("output")
    return {
        "case": log.pseudonym("case", name) if name else None,
        "file": name or None,
        "series_description": next((_element(meta[key]) for key in SERIES if key in meta), None),
        "conversion": {
            "from": FORMATS.get(name.rpartition("/")[2].rpartition(".")[2].lower() if "." in name else "", "picture"),
            "to": str(row.get("dtype")),
            "space": str(meta["space"]) if "space" in meta else None,
        },
        "intensity": {**(values.get(name) or {}), **{INTENSITY[k]: _element(meta[k]) for k in INTENSITY if k in meta}},
        "shape": list(row.get("shape", ())),
        "transforms_applied_partial": row.get("operations", []),
        "output": {"shape": list(made[0]), "dtype": str(made[1])} if made else None,
    }


def _element(value: Any) -> Any:
    """Plain value of a meta entry; a DICOM element holds a list."""
    if isinstance(value, Mapping) and "Value" in value:
        value = value["Value"][0] if value["Value"] else None
    return str(value) if value is not None else None


def _operations(operations: Any) -> list[str]:
    while isinstance(operations, list) and operations and isinstance(operations[0], list):
        operations = operations[0]
    return [str(one.get("class", "?")) for one in operations if isinstance(one, Mapping)]
