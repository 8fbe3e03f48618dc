# SPDX-License-Identifier: Apache-2.0
"""`EthicsWorkflow`: MONAI's `ConfigWorkflow` that leaves evidence; the bundle's config and files stay as they are."""

from __future__ import annotations

import inspect
import os
import sys
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from monai.bundle import ConfigWorkflow
from monai.utils import ensure_tuple

from monai_ethics.bundle.about import about_bundle
from monai_ethics.bundle.digests import bundle_digests, is_software_name
from monai_ethics.bundle.engines import EngineRef, find_engines, is_generative, reachable, walk
from monai_ethics.bundle.injector import Injector
from monai_ethics.bundle.names import INJECTOR, display_id
from monai_ethics.bundle.rewrite import rewrite, wrap_savers
from monai_ethics.bundle.saver import mark_new_images
from monai_ethics.bundle.settings import SECTION, checked, place, pop_settings, switch
from monai_ethics.errors import EthicsError, InputError
from monai_ethics.provenance.keys.delegate import start_signer, stop_signer
from monai_ethics.transforms.keeping import keep_marks
from monai_ethics.transforms.writers import Written

__all__ = ["EthicsWorkflow", "ethics_workflow", "new_session", "tell"]

OUTPUT_KEYS = frozenset({"output_dir", "save_dir", "log_dir", "ckpt_dir", "model_dir"})


def tell(line: str) -> None:
    """Print one line to the user, away from the bundle's own output."""
    print(f"monai-ethics: {line}", file=sys.stderr)


class EthicsWorkflow(ConfigWorkflow):
    """A bundle's config workflow whose engines leave evidence.

    Use it as ``--workflow_name monai_ethics.bundle.EthicsWorkflow`` or through ``python -m monai_ethics run``. All
    arguments are those of `monai.bundle.ConfigWorkflow`; overrides named `ethics` or `ethics#...` are settings of the
    evidence, every other one is the bundle's.

    Raises:
        InputError: if a setting is unknown, or evidence would land among the bundle's configs.
    """

    # class-level, because MONAI's `__setattr__` needs `properties`, which its constructor sets
    _ethics_settings: dict[str, Any]
    _ethics_files: tuple[Path, ...]
    _ethics_overrides: Sequence[str] = ()
    _ethics_injector: Injector | None = None
    _ethics_engines: tuple[EngineRef, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = pop_settings(kwargs)
        weakref.finalize(self, stop_signer, start_signer())  # before anything of the bundle is imported
        known = inspect.signature(ConfigWorkflow.__init__).parameters
        changed = sorted(display_id(name) for name in kwargs if name not in known)
        super().__init__(*args, **kwargs)
        self._ethics_files = _paths(args[0] if args else kwargs.get("config_file"))
        self._ethics_overrides = changed
        self._ethics_settings, foreign = checked(self.parser.get(SECTION), given)
        if foreign:
            tell("the bundle has an item `ethics` of its own, which is left to it.")
        for key, value in self._ethics_settings.items():
            if _is_config_language(value):
                self.parser.set(value, f"ethics_settings::{key}")

    def initialize(self) -> Any:
        """Rewrite the config, then build what the bundle builds here; harmless when called again."""
        injector = self._ethics_injector
        if injector is None or not (injector.has_session and injector.session.started):
            self._ethics_injector = Injector(self._ethics_session, name_of=self._ethics_name)
            self.parser.globals[INJECTOR] = self._ethics_injector
        self._ethics_apply()
        try:
            with self._ethics_marks():
                return super().initialize()
        except BaseException as error:
            self._ethics_fail(error, begun=False)
            raise

    def run(self) -> Any:
        """Run the bundle; whatever happens, evidence is written and the bundle's own finalization is called."""
        if self._ethics_injector is None:
            self.initialize()
        self._ethics_apply()
        injector: Any = self._ethics_injector
        injector.session.start()
        try:
            with injector.watch(), self._ethics_images(), self._ethics_marks():
                result = super().run()
        except BaseException as error:
            self._ethics_fail(error, begun=True)
            raise
        self._ethics_finish(None)
        return result

    def finalize(self) -> Any:
        """Finalize the bundle; a launcher that runs the engines itself gets its evidence here."""
        with self._ethics_marks():
            result = super().finalize()
        self._ethics_finish(None)
        return result

    def _get_property(self, name: str, property: dict[str, Any]) -> Any:  # noqa: A002 - the name is MONAI's
        """What a launcher that runs the engines itself builds through a property keeps marks too."""
        with self._ethics_marks():
            return super()._get_property(name, property)

    @property
    def ethics_session(self) -> Any:
        """The session of this run, once it was initialized."""
        return self._ethics_injector.session if self._ethics_injector else None

    @property
    def ethics_exit_code(self) -> int:
        """0, 1 if the policy refused, or 2 if the config leads to engines and none was seen to run."""
        injector: Any = self._ethics_injector
        if not injector.ran and injector.session.config["engines"]:
            tell("expected an engine of this config to run: none did here, so there are no scores. Check its data.")
            return 2
        return int(injector.session.exit_code)

    def _ethics_apply(self) -> None:
        parser: Any = self.parser
        if not parser.ref_resolver.is_resolved():
            parser.resolve_macro_and_relative_ids()
        config = parser.get()
        engines = tuple(find_engines(config, run_id=self.run_id))
        changed = rewrite(config, engines)
        if not any(not ref.disabled for ref in engines):
            changed = bool(wrap_savers(config, run_id=self.run_id)) or changed
        if changed:
            parser.ref_resolver.reset()
        self._ethics_engines = engines

    def _ethics_images(self) -> AbstractContextManager[None]:
        """Without an engine, what a generator saves is marked, whoever saves it; with one, the user has to say so."""
        session = self.ethics_session
        engines = session.config["engines"].values()
        if not is_generative(self.parser.get(), run_id=self.run_id):
            return nullcontext()
        if engines:
            if "synthetic" not in self._ethics_settings and all(one["kind"] == "evaluate" for one in engines):
                tell(
                    "this config builds a generator: if the images it saves are synthetic, add --ethics#synthetic true."
                )
            return nullcontext()
        return mark_new_images(session.config["outputs"], session=session)

    def _ethics_marks(self) -> AbstractContextManager[None]:
        """What is made from synthetic images is marked as such, unless the setting `marks` is false."""
        value = getattr(self, "_ethics_settings", {}).get("marks")
        if _is_config_language(value):
            value = self._ethics_value("ethics_settings::marks")
        if not switch(value, name="marks", default=True):
            return nullcontext()
        return keep_marks(Written(key=self._ethics_key, told=self._ethics_told))

    def _ethics_key(self) -> Any:
        injector = self._ethics_injector
        log = injector.session.evidence if injector is not None and injector.has_session else None
        return getattr(log, "key", None)

    def _ethics_told(self, path: Path) -> None:
        injector = self._ethics_injector
        if injector is not None and injector.has_session:
            injector.session.output_file(path)

    def _ethics_session(self) -> Any:
        settings = {
            key: self._ethics_value(f"ethics_settings::{key}") if _is_config_language(value) else value
            for key, value in self._ethics_settings.items()
        }
        if "synthesis" in settings and not isinstance(settings["synthesis"], dict):
            raise InputError(
                "`ethics#synthesis` must be a mapping whose items the bundle's config can build: got another. Write "
                '`--ethics#synthesis \'{"train": "t.npz", "holdout": "h.npz"}\'` and check what it refers to.'
            )
        root = self.config_root_path.parent if self.config_root_path.name == "configs" else self.config_root_path
        outputs = Path(str(self._ethics_value("output_dir") or self._ethics_value("bundle_root") or root))
        settings.setdefault("out", outputs / "evidence")
        out = Path(os.path.realpath(place(settings["out"], name="out") or outputs))
        if Path(os.path.realpath(self.config_root_path)) in (out, *out.parents):
            raise InputError(
                "Evidence must lie outside the bundle's configs: got a folder among them. Set `ethics#out`."
            )
        return new_session(settings, config=self._ethics_description(root))

    def _ethics_value(self, item: str) -> Any:
        """Value of an item of the config, or ``None`` if it is missing or cannot be evaluated."""
        if item not in self.parser:
            return None
        resolver = self.parser.ref_resolver
        try:  # while an item is being built, the parser must not parse anew
            return resolver.get_resolved_content(item) if resolver.items else self.parser.get_parsed_content(item)
        except Exception:  # an expression of the bundle raises what it likes, and its value is then not known
            return None

    def _ethics_description(self, root: Path) -> dict[str, Any]:
        base = next(one for one in type(self).__mro__ if not issubclass(one, EthicsWorkflow))
        built = reachable(self.parser.get(), self.run_id)
        return {
            "files": bundle_digests(root, self._ethics_files),
            "bundle": about_bundle(root, self.parser.get()),
            "run_id": self.run_id,
            # values may hold names, and stay out of the log; so do keys that are not spelled as ids of software
            "overrides": [key if is_software_name(key) else "not named" for key in self._ethics_overrides],
            "workflow": f"{base.__module__}.{base.__name__}",
            "engines": {
                display_id(ref.id): {"kind": ref.kind, "target": ref.target, "key_metric": ref.key_metric}
                for ref in self._ethics_engines
                if not ref.disabled and ref.id.partition("(")[0] in built
            },
            "outputs": self._ethics_outputs(root),
        }

    def _ethics_outputs(self, root: Path) -> list[str]:
        """Folders into which this config may write."""
        items = [key for key, _ in walk(self.parser.get()) if key.rpartition("::")[2] in OUTPUT_KEYS]
        values = (self._ethics_value(item) for item in items)
        folders = {str(value) for value in values if isinstance(value, (str, os.PathLike))}
        return sorted(folders | {str(root / "models")})

    def _ethics_name(self, engine: Engine) -> str | None:
        resolved = self.parser.ref_resolver.resolved_content
        return next((key for key, value in resolved.items() if value is engine), None)

    def _ethics_fail(self, error: BaseException, *, begun: bool) -> None:
        """Write that it failed; a bundle that began to run is finalized too, which MONAI leaves out.

        Raises:
            EthicsError: if that is below `error`: MONAI wraps what an expression raises, and ours is one sentence.
        """
        ours = ethics_cause(error)
        try:
            if not begun and self._ethics_injector is not None:
                self._ethics_injector.session.start()
            self._ethics_finish(ours or error)
            if begun:
                super().finalize()
        except Exception as second:  # the first error is the one to show
            tell(f"a {type(second).__name__} came up while a failed run was closed.")
        if ours is not None:
            raise ours from None

    def _ethics_finish(self, error: BaseException | None) -> None:
        injector = self._ethics_injector
        if injector is not None and injector.has_session and injector.session.started:
            injector.session.finish(error)


def ethics_workflow(base: type[ConfigWorkflow]) -> type[ConfigWorkflow]:
    """A bundle's own workflow class that leaves evidence, made by subclassing."""
    if issubclass(base, EthicsWorkflow):
        return base
    return EthicsWorkflow if base is ConfigWorkflow else type(f"Ethics{base.__name__}", (EthicsWorkflow, base), {})


def ethics_cause(error: BaseException | None) -> EthicsError | None:
    """The error of this package below what MONAI raised, if there is one."""
    while error is not None and not isinstance(error, EthicsError):
        error = error.__cause__
    return error


def new_session(settings: dict[str, Any], *, config: dict[str, Any]) -> Any:
    """The session of a run from its settings."""
    from monai_ethics.handlers import RunSession

    strata = settings.get("strata")
    return RunSession(
        out=(place(settings["out"], name="out") or Path("evidence")).absolute(),  # a bundle may change the directory
        run_id=settings.get("name"),
        attributes=settings.get("attributes"),
        strata=list(strata) if isinstance(strata, tuple) else strata,
        policy=place(settings.get("policy"), name="policy"),
        threshold=settings.get("threshold"),
        plan=settings.get("plan"),
        log=bool(switch(settings.get("log"), name="log", default=True)),
        synthetic=bool(switch(settings.get("synthetic"), name="synthetic", default=False)),
        synthesis=settings.get("synthesis"),
        record=settings.get("record"),
        guard=settings.get("guard"),
        site=place(settings.get("site"), name="site"),
        config=config,
    )


def _is_config_language(value: Any) -> bool:
    """Whether a setting, or something in it, is for the bundle's parser to build."""
    if isinstance(value, dict):
        return "_target_" in value or any(_is_config_language(item) for item in value.values())
    return isinstance(value, str) and value.startswith(("$", "@", "%"))


def _paths(files: Any) -> tuple[Path, ...]:
    if isinstance(files, str) and not Path(files).is_file() and "," in files:
        files = files.split(",")
    return tuple(Path(str(name)) for name in ensure_tuple(files)) if files is not None else ()
