"""What a cached function is in the store: its name, what its calls are called, and what they depend on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CellType, CodeType, EllipsisType, FunctionType, ModuleType
from typing import Final, cast

from django.db import models

from genscache.arguments import encode
from genscache.dependencies import listed, reading, untracked
from genscache.engine import Engine
from genscache.exceptions import UncacheableArgument
from genscache.instances import ENCODERS
from genscache.keys import SITE, Kind, Namespace, digest, fingerprint
from genscache.protocol.read import Question
from genscache.scalars import SCALARS
from genscache.signatures import CallSignature, function_path
from genscache.stores.limits import COUNTER_TTL
from genscache.types import MISSING

PLAIN: Final = frozenset({int, str, bytes, bool, type(None)})
"""Types of arguments that are what they are equal to, if their types are the same, too."""

SLACK = 60_000
"""How much longer than two entries the counter of a single call lives, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a function is cached; see ``cached``."""

    dependencies: tuple[object, ...]
    timeout: float | None
    depends_on: Callable[..., Iterable[object]] | None
    key: Callable[..., object] | None
    lock: bool

    @property
    def discover(self) -> bool:
        """Tell whether nothing is declared, so that the function's queries tell what it depends on."""
        return not self.dependencies and self.depends_on is None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a cached function.

    Attributes:
        digest: Identifies the arguments.
        identity: Identifies function, code, tenant and arguments.
        base: What every entry of this call depends on: the site, the function, the call.
        declared: What it was declared to depend on.
        forbidden: Why it cannot be cached; empty where it can.
        covered: Database aliases and tables that ``declared`` stands for, so that only others are discovered.
        pinned: Those among them of which ``declared`` stands for some rows only.
        known: ``base`` and ``declared``.
        ordered: The same in canonical order, without duplicates.
    """

    digest: str
    identity: bytes
    base: tuple[Namespace, ...]
    declared: tuple[Namespace, ...]
    forbidden: str
    covered: frozenset[tuple[str, str]] | None = None
    pinned: frozenset[tuple[str, str]] = frozenset()
    known: tuple[Namespace, ...] = field(init=False)
    ordered: tuple[Namespace, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out once what each hit needs."""
        known = (*self.base, *self.declared)
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "ordered", tuple(sorted(set(known))))


class Identity:
    """The function as the store knows it.

    Args:
        function: What is cached.
        options: How.
    """

    def __init__(self, function: Callable[..., object], options: Options) -> None:
        self.path = function_path(function)
        self.options = options
        self._signature = CallSignature(function)
        self._code = _code_digest(function)
        self._cells: tuple[CellType, ...] = getattr(function, "__closure__", None) or ()
        self._defaults = (
            *(getattr(function, "__defaults__", None) or ()),
            *(getattr(function, "__kwdefaults__", None) or {}).values(),
        )
        self._token = secrets.token_hex(8)
        # What a hook returns differs from call to call; so may the key of an instance that is not saved yet.
        self._settled = options.depends_on is None and not any(
            isinstance(each, models.Model) for each in options.dependencies
        )
        # Then plain arguments alone tell calls apart.
        self._fixed = self._settled and not self._cells and options.key is None

    @property
    def discover(self) -> bool:
        """Tell whether the function's queries tell what it depends on."""
        return self.options.discover

    @property
    def lock(self) -> bool:
        """Tell whether one process at a time fills an entry."""
        return self.options.lock

    @property
    def transparent(self) -> bool:
        """Tell whether a cached function around it may be stored when this one was not: nobody saw what it read."""
        return False

    @property
    def namespace(self) -> Namespace:
        """The namespace of all its calls."""
        return Namespace(Kind.FUNCTION, self.path)

    def call(self, engine: Engine, args: tuple[object, ...], kwargs: dict[str, object]) -> Call:
        """Return what a call is in the store.

        Raises:
            TypeError: The function cannot be called so.
            UncacheableArgument: An argument has no canonical form.
            InvalidNamespace: A dependency is not an installed model, object or name.
        """
        plain = self._plain(engine, args, kwargs)
        known = None if plain is None else engine.calls.get(plain)
        if known is not None:
            return cast("Call", known)
        content = self.digest(args, kwargs)
        dependencies = self.options.dependencies
        if self.options.depends_on is not None:
            dependencies = (*dependencies, *listed(self._hooked(self.options.depends_on, args, kwargs)))
        identity = encode(
            (self.path, self._code, self._outside(), engine.context(), engine.catalog.places(), content)
        )
        if not self._settled:
            return self._made(engine, content, identity, dependencies)
        name = plain or (self, identity)
        known = engine.calls.get(name)
        if known is None:
            known = self._made(engine, content, identity, dependencies)
            engine.calls.put(name, known)
        return cast("Call", known)

    def _plain(
        self, engine: Engine, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[object, ...] | None:
        """Return a name for a call that nothing has to be encoded for; ``None`` where there is none."""
        # By its type, too: 1 == True == 1.0, and each of them is another argument.
        types = tuple(map(type, args)) + tuple([type(value) for value in kwargs.values()])
        if not self._fixed or not PLAIN.issuperset(types):
            return None
        return self, (*args, *kwargs.items()), types, engine.context(), engine.catalog.places()

    def _made(self, engine: Engine, content: str, identity: bytes, dependencies: tuple[object, ...]) -> Call:
        return Call(
            content,
            identity,
            (SITE, self.namespace, Namespace(Kind.CALL, self.path, content)),
            reading(engine.catalog, dependencies),
            untracked(engine.catalog, dependencies),
        )

    def digest(self, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
        """Return what identifies the arguments of a call.

        Raises:
            TypeError: The function cannot be called so.
            UncacheableArgument: An argument has no canonical form.
        """
        return digest(self._content(args, kwargs))

    def question(self, engine: Engine, call: Call, namespaces: tuple[Namespace, ...]) -> Question:
        """Return what is asked of the store for a call that depends on ``namespaces``.

        The names are part of the fingerprint: what was found to depend on other tables is another entry.
        """
        known = engine.questions.get(call.identity)
        if known is not None and known[0] == namespaces:
            return known[1]
        question = self._question(engine, call, namespaces)
        engine.questions.put(call.identity, (namespaces, question))
        return question

    def _question(self, engine: Engine, call: Call, namespaces: tuple[Namespace, ...]) -> Question:
        ordered = sorted(set(namespaces))
        names = encode(tuple((each.kind.value, each.owner, each.detail) for each in ordered))
        own = (each for each in call.base if each.kind is Kind.CALL)
        return Question(
            self.path,
            fingerprint(call.identity + names),
            tuple(engine.keys.counter(each) for each in ordered),
            brief=tuple(engine.keys.counter(each) for each in own),
            life=self._life(engine),
        )

    def _life(self, engine: Engine) -> int:
        """Return how long the counter of a single call lives, in milliseconds: a little longer than its entries."""
        timeout = engine.settings.timeout if self.options.timeout is None else self.options.timeout
        return min(2 * round(timeout * 1000) + SLACK, COUNTER_TTL)

    def _outside(self) -> tuple[object, ...]:
        """Return what the function has besides its arguments: what it closes over, and defaults that ``key`` hides.

        So two functions made by one factory do not share entries. Plain values, classes, modules and plain functions
        tell themselves apart in every process. With anything else the function's entries are its own: other
        processes do not find them.
        """
        values = [_held(cell) for cell in self._cells]
        if self.options.key is not None:
            values += [_stand_in(default) for default in self._defaults]
        return (self._token,) if MISSING in values else tuple(values)

    def _hooked(
        self, hook: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Call ``key`` or ``depends_on`` with the call's arguments, defaults included."""
        bound = self._signature.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return hook(*bound.args, **bound.kwargs)

    def _content(self, args: tuple[object, ...], kwargs: dict[str, object]) -> bytes:
        if self.options.key is None:
            return self._signature.encode(args, kwargs, extra=ENCODERS)
        chosen = self._hooked(self.options.key, args, kwargs)
        try:
            return encode(("key", chosen), extra=ENCODERS)
        except UncacheableArgument as error:
            raise UncacheableArgument(f"{self.path}(): what key= returned cannot be a key: {error}") from None


def _held(cell: CellType) -> object:
    """Return what stands for a value that a function closes over."""
    try:
        return _stand_in(cell.cell_contents)
    except ValueError:
        return "unbound"


def _stand_in(value: object) -> object:
    """Return what tells a value apart in every process, ``MISSING`` where nothing does."""
    if type(value) in SCALARS:
        return value
    if isinstance(value, ModuleType):
        return ("module", value.__name__)
    if isinstance(value, type) and "<locals>" not in value.__qualname__:
        return ("class", value.__module__, value.__qualname__)
    if isinstance(value, FunctionType) and value.__closure__ is None:
        return ("function", function_path(value), _code_digest(value))
    return MISSING


def _code_digest(function: Callable[..., object]) -> str:
    """Return a digest of the function's own code: a release that changes it asks for new entries."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    # Every script calls itself __main__.
    script = code.co_filename if function.__module__ == "__main__" else ""
    return digest(encode((script, _code(code))))


def _code(code: CodeType) -> tuple[object, ...]:
    return (code.co_code, code.co_names, tuple(_constant(each) for each in code.co_consts))


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, EllipsisType):
        return "..."
    if isinstance(value, tuple):
        return tuple(_constant(each) for each in value)
    return value
