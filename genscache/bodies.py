"""Bodies: a value to a pickle, or to parts where it is made of model instances, and back."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias, cast

from genscache.assembling import Blueprint
from genscache.building import Makers
from genscache.decoded import Decoded, Reason, Refused
from genscache.dismantling import Dismantled, dismantle
from genscache.opcodes import TooManyTuples, TooManyValues
from genscache.parts import FORMAT, Anatomy, Body, Structure
from genscache.pickling import PROTOCOL, Describe, HiddenModel, RecordingPickler, RestrictedPickler, no_models
from genscache.unpickling import RestrictedUnpickler
from genscache.verifying import verify

MOST_BLUEPRINTS: Final = 1000
"""Structures of results that are kept."""

MOST_STRUCTURE_BYTES: Final = 4096
"""Bytes up to which a structure is kept: a longer one names instances one by one, and is that of one result."""

_CELL: Final = 64

Check: TypeAlias = Callable[[bytes], "Mapping[str, type]"]
"""Returns the classes in an entry's list of models, each of them defined as it was, by their path."""


class Bodies:
    """Writes and reads bodies.

    Args:
        trusted: Nobody else can have written what is read.
        allowed: As in ``RestrictedUnpickler``, for others.
        describe: Returns a digest of a model class's definition, ``None`` for other classes.
        anatomy: What can take instances apart, if anything.
    """

    def __init__(
        self, *, trusted: bool, allowed: frozenset[str], describe: Describe, anatomy: Anatomy | None
    ) -> None:
        self._trusted = trusted
        self._allowed = allowed
        self._describe = describe
        self._anatomy = anatomy
        self._makers = Makers()
        self._blueprints: dict[tuple[bytes, bytes], Blueprint] = {}

    def dump(self, value: object) -> tuple[bytes, Mapping[type, str], bool]:
        """Return a body, the models in it with their definitions, and whether it is in parts.

        Raises:
            Exception: The value cannot be stored; or what its own way to be pickled raises.
        """
        parts = None if self._anatomy is None else dismantle(value, self._anatomy)
        if parts is not None:
            try:
                return *self.dump_parts(parts), True
            except (HiddenModel, TooManyTuples, TooManyValues):
                # Then pickle, which finds every instance and has bounds of its own.
                pass
        pickler = self._pickler(self._describe)
        return pickler.pickled(value), pickler.models, False

    def load(self, models: Mapping[str, type], body: bytes) -> object:
        """Return the value of a body that is a pickle.

        Raises:
            Exception: It has none.
        """
        if self._trusted:
            # Only we, or whoever has our secret key, can have written it.
            return pickle.loads(body)  # noqa: S301
        return RestrictedUnpickler(body, allowed=self._allowed, models=models).load()

    def parse(self, models: bytes, body: bytes, check: Check) -> Decoded:
        """Return what builds the value of a body that is in parts.

        Raises:
            Refused: It cannot be read here.
            Exception: It has no value.
        """
        if self._anatomy is None:
            raise Refused(Reason.FOREIGN)
        load = partial(self.load, {})
        written, structure, columns, rest = cast("Body", load(body))
        if written != FORMAT:
            raise Refused(Reason.FOREIGN)
        blueprint = self._blueprints.get((models, structure)) if self._trusted else None
        if blueprint is None:
            blueprint = self._blueprint(models, structure, columns, check)
        unpacked = blueprint.unpacked(columns)
        size = len(body) + _CELL * blueprint.cells
        if rest is None:
            return Decoded(partial(blueprint.build, unpacked, ()), size)
        return Decoded(lambda: blueprint.build(unpacked, cast("list[object]", load(rest))), size)

    def _blueprint(self, models: bytes, structure: bytes, columns: object, check: Check) -> Blueprint:
        anatomy = cast("Anatomy", self._anatomy)
        known = check(models)
        kinds = [found for found in map(anatomy.kind, known.values()) if found is not None]
        if len(kinds) < len(known):
            raise Refused(Reason.CHANGED)
        read = cast("Structure", self.load({}, structure))
        if not self._trusted:
            verify(read, columns, kinds)
        made = Blueprint(read, kinds, anatomy=anatomy, makers=self._makers if self._trusted else None)
        if self._trusted and len(structure) <= MOST_STRUCTURE_BYTES:
            if len(self._blueprints) >= MOST_BLUEPRINTS:
                self._blueprints.clear()
            # Definitions stay as they are for as long as a process lives, so they need not be compared again.
            self._blueprints[models, structure] = made
        return made

    def dump_parts(self, parts: Dismantled) -> tuple[bytes, Mapping[type, str]]:
        """Return the body of a value in parts, and its models.

        Raises:
            HiddenModel: An instance hides in what would be pickled.
            TooManyTuples: A reader who does not trust it would not take it.
            TooManyValues: The same.
        """
        models = {kind.model: self._describe(kind.model) or "" for kind in parts.kinds}
        if "" in models.values():
            raise HiddenModel
        hidden = partial(no_models, self._describe)
        rest = self._pickler(hidden).pickled(parts.rest) if parts.rest else None
        if not self._trusted:
            verify(parts.structure, parts.columns, parts.kinds)
        body = self._plain((FORMAT, self._plain(parts.structure), parts.columns, rest))
        return body, models

    def _plain(self, value: object) -> bytes:
        """Return the pickle of what holds no model."""
        return (
            pickle.dumps(value, PROTOCOL) if self._trusted else self._pickler(self._describe).pickled(value)
        )

    def _pickler(self, describe: Describe) -> RecordingPickler:
        return (
            RecordingPickler(describe)
            if self._trusted
            else RestrictedPickler(describe, allowed=self._allowed)
        )
