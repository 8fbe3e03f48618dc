# SPDX-License-Identifier: Apache-2.0
"""Evidence for images that are written without an engine, as generative inference does.

A sampler may hand its saver a plain tensor, so nothing can travel in the image's metadata: what is known stands in a
sidecar beside the written file, keyed by that file's own bytes.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from monai_ethics.errors import InputError
from monai_ethics.handlers._marking import is_image, mark_image
from monai_ethics.provenance.keys.key import Signer
from monai_ethics.provenance.marks.sidecar import SIDECAR
from monai_ethics.transforms.writers import Written, mark_written, writing

__all__ = ["WrappedSaver", "mark_new_images", "wrap_saver"]


class WrappedSaver:
    """A saver that also leaves a sidecar ``<file>.prov.json`` for each file it writes; all else is the saver's own.

    As a context manager it ends its session with the block.

    Args:
        saver: a callable that writes images, such as `monai.transforms.SaveImage`.
        session: session of a run, told of each file; ``None`` writes sidecars only.
        stamp: whether each written file is itself marked as synthetic, which changes its bytes.
        synthetic: what is known of the files: ``"yes"``, ``"partial"`` or ``"unknown"``.
        key: signs the sidecars where there is no session, whose own key does.
    """

    def __init__(
        self,
        saver: Callable[..., Any],
        *,
        session: Any = None,
        stamp: bool = True,
        synthetic: str = "yes",
        key: Signer | None = None,
    ) -> None:
        self._key = key
        self._saver = saver
        self._session = session
        self._stamp = stamp
        self._synthetic = synthetic

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_saver":
            raise AttributeError(name)
        return getattr(self._saver, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._session is not None:
            self._session.finish(error)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with _written_by(self._saver) as written:
            result = self._saver(*args, **kwargs)
        for path in sorted(path for path in set(written) if path.is_file()):
            self._describe(path)
        return result

    def _describe(self, path: Path) -> None:
        if self._session is None and self._key is not None and self._synthetic != "unknown":
            how = Written(template={"type": "synthesis"}, key=lambda: self._key, header=self._stamp)
            with writing(how):
                mark_written(path, self._synthetic, ())
            return
        _describe(path, session=self._session, stamp=self._stamp, synthetic=self._synthetic)


def wrap_saver(
    saver: Callable[..., Any],
    *,
    session: Any = None,
    out: str | Path | None = None,
    stamp: bool = True,
    synthetic: str = "yes",
    key: Signer | None = None,
) -> WrappedSaver:
    """Let a saver leave evidence for what it writes.

    In a config, keep the saver under an id of its own and wrap it where it is used::

        "image_saver": {"_target_": "SaveImage", ...},
        "saver": "$monai_ethics.bundle.wrap_saver(@image_saver, out=@output_dir + '/evidence')"

    Args:
        saver: a callable that writes images and whose folder is its `output_dir` or the image's `saved_to`.
        session: session of a run that goes on.
        out: evidence folder of a session made here and closed when the program ends; not together with `session`.
        stamp: whether the files themselves are marked too; `python -m monai_ethics run` leaves a bundle's files as
            they are and marks in sidecars and evidence only.
        synthetic: what is known of the images: ``"yes"``, ``"partial"`` or ``"unknown"``.
        key: signs the sidecars; a session signs with its own.

    Returns:
        The saver to use instead.

    Raises:
        InputError: if both `session` and `out` are given, or `saver` cannot be called.
    """
    if session is not None and out is not None:
        raise InputError("`wrap_saver` needs one of `session` and `out`: got both. Leave one out.")
    if not callable(saver):
        raise InputError(f"`saver` must be callable: got a {type(saver).__name__}. Give it the saver itself.")
    if synthetic not in ("yes", "partial", "unknown"):
        raise InputError("`synthetic` must be yes, partial or unknown: got another word. Say what is known.")
    if out is not None:
        from monai_ethics.bundle.standalone import overlay_session

        session = overlay_session(out=Path(out).absolute())
        session.start()
        atexit.register(session.finish)
    return WrappedSaver(saver, session=session, stamp=stamp, synthetic=synthetic, key=key)


@contextmanager
def mark_new_images(folders: Iterable[str | Path], *, session: Any) -> Iterator[None]:
    """Mark every image that a block leaves in some folders: a generator's script may save without any saver.

    Args:
        folders: where the block may write.
        session: session of the run.
    """
    roots = [Path(folder) for folder in folders]
    before = {path: state for root in roots for path, state in _listing(root).items()}
    try:
        yield
    finally:
        after = {path: state for root in roots for path, state in _listing(root).items()}
        for path in sorted(path for path, state in after.items() if before.get(path) != state):
            if is_image(path):
                _describe(path, session=session, stamp=False, synthetic="yes")


def _describe(path: Path, *, session: Any, stamp: bool, synthetic: str) -> None:
    if session is not None:
        session.output_file(path)
    fields = session.synthesis_fields() if hasattr(session, "synthesis_fields") else None
    mark_image(path, log=getattr(session, "evidence", None), stamp=stamp, synthetic=synthetic, record=fields)


@contextmanager
def _written_by(saver: Any) -> Iterator[list[Path]]:
    """Paths that a saver writes in this block.

    The image does not say: a plain tensor has no metadata and `saved_to` is off by default. MONAI's savers ask their
    folder layout for each name, which is listened to; for any other saver its folder is compared.
    """
    inner = getattr(saver, "saver", saver)  # `SaveImaged` holds a `SaveImage`
    layout = getattr(inner, "folder_layout", None)
    written: list[Path] = []
    if layout is not None and callable(getattr(layout, "filename", None)) and hasattr(layout, "__dict__"):
        ask = layout.filename

        def listen(*args: Any, **kwargs: Any) -> Any:
            name = ask(*args, **kwargs)
            written.append(Path(str(name)))
            return name

        layout.filename = listen
        try:
            yield written
        finally:
            del layout.filename
    else:
        folder = getattr(inner, "output_dir", None)
        before = _listing(folder)
        yield written
        written += [path for path, state in _listing(folder).items() if before.get(path) != state]


def _listing(folder: Any) -> dict[Path, tuple[int, int]]:
    return dict(_files(Path(folder))) if isinstance(folder, (str, Path)) and Path(folder).is_dir() else {}


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for path in folder.rglob("*"):
        if path.name.endswith(SIDECAR) or "evidence" in path.relative_to(folder).parts:
            continue
        with suppress(FileNotFoundError):
            if path.is_file():
                state = path.stat()
                yield path, (state.st_mtime_ns, state.st_size)
