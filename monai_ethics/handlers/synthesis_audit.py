# SPDX-License-Identifier: Apache-2.0
"""`SynthesisAudit`: looks at what a generator makes while it trains, or at what an inference engine puts out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer
from torch import nn

from monai_ethics.errors import EthicsError, InputError, NotAssessableError
from monai_ethics.handlers._events import find_metrics, move_behind_metrics, move_to_front, owners
from monai_ethics.handlers._find_sampler import find_sampler, moving_average, one_image
from monai_ethics.handlers._gather import deals_in_turn, sampler_of
from monai_ethics.handlers._generate import Generated, Part, first_text, gather_features, generate
from monai_ethics.handlers._look import findings_of, look_at, not_assessable, numbers_of, why_failed
from monai_ethics.handlers._real_sets import PixelFeatures, feature_sets, features_of, read_real
from monai_ethics.handlers._undisturbed import undisturbed
from monai_ethics.handlers.samplers import ImageSampler, as_sampler
from monai_ethics.synthesis.memorization_looks import Look, Looks, MemorizationLooks

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.synthesis.data.feature_sets import FeatureSets
    from monai_ethics.synthesis.data.image_set import ImageSet

__all__ = ["SynthesisAudit"]

FEWEST = 2  # images below which a look is none


class SynthesisAudit:
    """Compare a generator's images with training and held-out images, every few epochs and at the end.

    It is both a handler (put it before the loggers) and a metric (``additional_metrics``). A training goes on to the
    same weights and the same random numbers with and without it. Numbers of each look are in ``engine.state.metrics``:
    ``synthesis_kid``, ``synthesis_coverage``, ``synthesis_nearest_ratio``, ``synthesis_closer_patients``, and
    ``synthesis_alarm``, which is 1 where the membership test raises an alarm at its share of `significance`. At the end
    its findings are in the evidence of a run that the engine belongs to, and in `findings`.

    Args:
        train: the images the generator is trained on: a feature file, an `ImageSet`, or a dataset of dicts with
            ``image`` and the patient, of its own and without random transforms, which keep random states of their own.
        holdout: real images of other patients, likewise.
        sampler: makes images: an object with ``sample(n, generator)`` or such a function; ``None`` finds out from the
            engine, if it trains a GAN or an unconditional diffusion network of MONAI.
        extractor: computes features; ``None`` takes raw 16x16 pixels.
        n: images at a look.
        n_end: images at the last epoch, of which the findings tell; ``None`` takes `n`.
        every: epochs between looks.
        seconds: time budget of the sampling of a look; the images made until then are used.
        batch_size: images at a time.
        looks: looks planned, among which `significance` is divided; ``None`` counts the epochs.
        split_random: whether it is on record that patients were assigned to training or holdout at random; otherwise
            there is no alarm.
        conditioned_on_train: whether images are generated from inputs of training patients only.
        on_memorization: ``"warn"``, or ``"stop"`` to end the training at an alarm.
        significance: chance of a false alarm in the whole training.
        ema: averaged network to sample in place of the trained one; an `EMAHandler` on the engine is found.
        steps: sampling steps of diffusion.
        images: takes generated images from ``engine.state.output``, a list or batch, in place of sampling; for engines
            that do not train, ``None`` takes ``pred``.
        patient_key: key of the patient in a dataset's items.
        seed: seed of the images.

    Raises:
        InputError: if an argument is none of these.
    """

    def __init__(
        self,
        train: Any,
        holdout: Any,
        sampler: Any = None,
        *,
        extractor: Any = None,
        n: int = 64,
        n_end: int | None = None,
        every: int = 10,
        seconds: float = 60.0,
        batch_size: int = 8,
        looks: int | None = None,
        split_random: bool = False,
        conditioned_on_train: bool = False,
        on_memorization: str = "warn",
        significance: float = 0.05,
        ema: nn.Module | None = None,
        steps: int = 50,
        images: Callable[[Any], Any] | None = None,
        patient_key: str = "patient",
        seed: int = 0,
    ) -> None:
        if on_memorization not in ("warn", "stop"):
            raise InputError("`on_memorization` must be warn or stop: got another word. Choose one.")
        counts = (n, n if n_end is None else n_end, every, batch_size, steps, 1 if looks is None else looks)
        if not all(isinstance(number, int) for number in (*counts, seed)) or not 0 <= seed < 2**53:
            raise InputError(
                "`n`, `n_end`, `every`, `batch_size`, `steps`, `looks` and `seed` must be whole numbers, and `seed` at "
                "least 0 and below 2^53: got others. Correct them."
            )
        usable = extractor is None or (callable(extractor) and hasattr(extractor, "protocol"))
        if not usable or not (images is None or callable(images)) or not (ema is None or isinstance(ema, nn.Module)):
            raise InputError(
                "`extractor` must be a feature extractor, `images` a function and `ema` a network: got something else. "
                "Give one, or leave it out."
            )
        if min(counts) < 1 or seconds <= 0 or not 0 < significance < 1:
            raise InputError(
                "`n`, `n_end`, `every`, `batch_size`, `steps`, `looks` and `seconds` must be positive and "
                "`significance` between 0 and 1: got others. Correct them."
            )
        self.sources = (train, holdout)
        self.sampler: ImageSampler | None = None if sampler is None else as_sampler(sampler)
        self.extractor = extractor or PixelFeatures()
        self.n, self.n_end, self.every, self.seconds, self.batch_size = n, n_end or n, every, seconds, batch_size
        self.looks, self.significance, self.steps, self.seed = looks, significance, steps, seed
        self.facts = {"split_random": bool(split_random), "conditioned_on_train": bool(conditioned_on_train)}
        self.stops = on_memorization == "stop"
        self.ema, self.images, self.patient_key = ema, images, patient_key
        self.name = "synthesis"
        self._real: tuple[ImageSet, ImageSet] | None = None
        self._renew()

    def _renew(self) -> None:
        self.taken: list[Look] = []
        self._planned, self._members, self._others = 1, 0, 0
        self._sets: FeatureSets | None = None
        self._reason = "The engine ended before images were sampled."
        self._parts: list[Part] = []
        self._seen = 0
        self._unread: str | None = None  # why some of the engine's output was not taken
        self._image: torch.Tensor | None = None
        self._told: set[str] = set()
        self._found: list[Finding] | None = None

    def attach(self, engine: Engine, name: str = "synthesis") -> None:
        """Join an engine; a second time nothing happens.

        Args:
            engine: a trainer, or an engine whose output is generated images.
            name: what the names of its numbers begin with.
        """
        if any(one is self for one in owners(engine)):
            return
        self.name = name
        self._trains = isinstance(engine, Trainer) or hasattr(engine, "optimizer") or hasattr(engine, "g_optimizer")
        self._collects = self.images is not None or not self._trains
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)
        if find_metrics(engine):
            move_behind_metrics(engine, self._epoch_completed)
        else:
            move_to_front(engine, Events.EPOCH_COMPLETED, self._epoch_completed)

    @property
    def findings(self) -> list[Finding]:
        """What was found, on process 0; other processes know of the looks only."""
        if self._found is None:
            self._found = self._all_found()
        return list(self._found)

    def _all_found(self) -> list[Finding]:
        found: list[Finding] = []
        if self._trains:
            looks = Looks(planned=self._planned, taken=self.taken, members=self._members, others=self._others)
            found.append(MemorizationLooks(significance=self.significance)(looks))
        if self._sets is None:
            return [*found, not_assessable(self._reason)]
        try:
            return [*found, *findings_of(self._sets, seed=self.seed)]
        except Exception as error:  # the training is over: what else it left must be kept
            why = why_failed(error, "A check")
            return [*found, not_assessable(why, synthetic_images=self._sets.size("synthetic"))]

    def compared(self, features: np.ndarray, names: Sequence[str]) -> list[Finding]:
        """Findings about images that lie there already.

        Args:
            features: shape ``(N, d)``, of the extractor.
            names: what the images are called; private.

        Raises:
            InputError: if the real images cannot be read.
            NotAssessableError: if the features cannot be compared.
        """
        sets = feature_sets(*self._read(), features, facts=self.facts, extractor=self.extractor, names=names)
        return findings_of(sets, seed=self.seed)

    def _read(self) -> tuple[ImageSet, ImageSet]:
        if self._real is None:
            with undisturbed([]):
                train, holdout = (
                    read_real(source, self.extractor, patient_key=self.patient_key) for source in self.sources
                )
            self._real = train, holdout
        return self._real

    def _started(self, engine: Engine) -> None:
        self._renew()
        self._read()
        if self.looks is None and self._trains and engine.state.max_epochs is None:
            raise InputError("`looks` must be given where the number of epochs is not: got none. Plan their number.")
        epochs = engine.state.max_epochs or 1
        self._planned = self.looks or (max(1, epochs // self.every) if self._trains else 1)

    def _epoch_started(self, engine: Engine) -> None:
        self._parts, self._seen, self._unread = [], 0, None
        for key in [key for key in engine.state.metrics if key in self._keys()]:
            del engine.state.metrics[key]

    def _keys(self) -> set[str]:
        return {
            f"{self.name}_{name}" for name in ("kid", "coverage", "nearest_ratio", "closer_patients", "alarm", "images")
        }

    def _iteration_completed(self, engine: Engine) -> None:
        if self._image is None:
            with suppress(Exception):  # a batch of a shape that nobody thought of
                self._image = one_image(engine.state.batch)
        if not self._collects:
            return
        try:
            with undisturbed([]):
                found = self.images(engine.state.output) if self.images else _predictions(engine.state.output)
                self._keep(engine, _stacked(found))
        except Exception as error:  # a user's function raises what it likes, and the engine has to go on
            own = isinstance(error, EthicsError)
            self._unread = str(error) if own else "The engine's output holds no images where they were looked for."

    def _keep(self, engine: Engine, images: torch.Tensor) -> None:
        """Features of the images of a batch, but not of those with which a sampler fills up a process's share."""
        sampler, world, rank = sampler_of(engine), idist.get_world_size(), idist.get_rank()
        first, self._seen = self._seen, self._seen + len(images)
        places = [rank + world * i for i in range(first, self._seen)]
        if world > 1 and deals_in_turn(sampler):
            within = [i for i, place in enumerate(places) if place < len(sampler.dataset)]
            images, places = images[within], [places[i] for i in within]
        for place, image in zip(places, images, strict=True):
            self._parts.append((place, features_of(image[None], self.extractor)))

    def _epoch_completed(self, engine: Engine) -> None:
        if self._trains and engine.state.epoch % self.every and engine.state.epoch != engine.state.max_epochs:
            return
        made = gather_features(self._parts, self._unread) if self._collects else self._sampled(engine)
        told = json.loads(first_text(json.dumps(self._judged(made, epoch=engine.state.epoch), allow_nan=False)))
        look = Look(**told["look"])
        if not self._trains or not engine.state.epoch % self.every:
            self._take(engine, look, told=told)
        engine.state.metrics.update({f"{self.name}_{key}": value for key, value in told["numbers"].items()})

    def _sampled(self, engine: Engine) -> Generated:
        seed = (self.seed, engine.state.epoch)
        try:
            sampler = self.sampler
            if sampler is None:
                ema = self.ema if self.ema is not None else moving_average(engine)
                with undisturbed(_networks(engine)):
                    sampler = find_sampler(engine, image=self._image, ema=ema, steps=self.steps)
        except NotAssessableError as error:
            return gather_features([], str(error))
        except Exception as error:  # whatever a trainer of the user's own lacks, its training has to go on
            return gather_features([], f"How images are sampled could not be found out ({type(error).__name__}).")
        n = self.n_end if engine.state.epoch == engine.state.max_epochs else self.n
        return generate(sampler, self.extractor, n=n, batch_size=self.batch_size, seconds=self.seconds, seed=seed)

    def _judged(self, made: Generated, *, epoch: int) -> dict[str, Any]:
        """What a look gives, on process 0; never raises."""
        self._found, images = None, len(made.features)
        told: dict[str, Any] = {"numbers": {"images": images}, "members": 0, "others": 0}
        look = Look(epoch=epoch, images=images)
        try:
            if images < FEWEST or self._real is None:
                raise NotAssessableError(made.reason or "No finite image was sampled.")
            if idist.get_rank() == 0:
                sets = feature_sets(*self._real, made.features, facts=self.facts, extractor=self.extractor)
                self._sets = sets
                told["numbers"].update(numbers_of(sets))
                look, told["members"], told["others"] = look_at(sets, epoch=epoch)
        except Exception as error:  # a training goes on without the numbers of a look
            self._reason = why_failed(error, "Computing the numbers")
            look = Look(epoch=epoch, images=images, reason=self._reason)
        if look.closer is not None:
            told["numbers"]["closer_patients"] = look.closer
        return {**told, "look": asdict(look)}

    def _take(self, engine: Engine, look: Look, *, told: dict[str, Any]) -> None:
        self.taken.append(look)
        self._members, self._others = told["members"] or self._members, told["others"] or self._others
        looks = Looks(planned=self._planned, taken=self.taken, members=self._members, others=self._others)
        alarm = look in looks.alarms(self.significance)
        if look.p_value is not None:
            told["numbers"]["alarm"] = float(alarm)
        if look.reason is not None:
            self._warn(engine, f"this look at the generator gives no alarm: {look.reason}")
        if alarm and self._trains:
            self._warn(
                engine,
                f"alarm at epoch {look.epoch}: {look.closer} of {self._members} training patients are closer to a "
                f"synthetic image than any of {self._others} held-out patients. Look at the pairs in the evidence.",
            )
            if self.stops:
                engine.terminate()

    def _warn(self, engine: Engine, text: str) -> None:
        if idist.get_rank() == 0 and text not in self._told:
            self._told.add(text)
            engine.logger.warning("%s: %s", self.name, text)


def _predictions(output: Any) -> Any:
    return [row["pred"] for row in output] if isinstance(output, list) else output["pred"]


def _stacked(found: Any) -> torch.Tensor:
    """Images of shape ``(B, C, *spatial)`` from a batch, or from a list of single images."""
    return found if isinstance(found, torch.Tensor) else torch.stack([torch.as_tensor(image) for image in found])


def _networks(engine: Engine) -> list[nn.Module]:
    held = [*vars(engine).values(), *vars(engine.state).values()]
    return [value for value in held if isinstance(value, nn.Module)]
