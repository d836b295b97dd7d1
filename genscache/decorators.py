"""``@cached``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import timedelta
from types import FunctionType, MethodType
from typing import Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from asgiref.sync import markcoroutinefunction
from django.db import models

from genscache import conf
from genscache.answers import aread, read
from genscache.dependencies import Dependency, ObjectRef, resolve_model
from genscache.engine import Engine, current_engine
from genscache.exceptions import InvalidNamespace
from genscache.filling import Compute, Job
from genscache.functions import Identity, Options
from genscache.guards import switched_off
from genscache.invalidation import aannounce, announce
from genscache.keys import Kind, Namespace
from genscache.serving import note_bypass
from genscache.types import MISSING, Missing

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class _Cached(Generic[P]):
    """What cached functions of both kinds have."""

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, object], options: Options, *, binds: type | None = None) -> None:
        functools.update_wrapper(cast("Callable[P, object]", self), function)
        self._function = function
        self._identity = Identity(function, options)
        self._bound: tuple[object, ...] = ()
        self._binds = binds

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return what the store key of a call's entry begins with, for looking around in ``redis-cli``.

        With tables that are discovered, the key is that of the tables known at the moment.

        Raises:
            UncacheableArgument: An argument has no canonical form.
        """
        engine = current_engine()
        call = self._identity.call(engine, (*self._bound, *args), dict(kwargs))
        known = engine.dependencies.get(call.identity) or ()
        question = self._identity.question(engine, call, (*call.base, *call.declared, *known))
        return engine.keys.beginning(question.owner, question.fingerprint)

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Invalidate the entry of one call, whether there is one or not.

        Raises:
            UncacheableArgument: An argument has no canonical form.
            StoreUnavailable: As ``invalidate_model``.
        """
        engine = current_engine()
        announce(engine, [self._call_namespace(args, dict(kwargs))])

    async def ainvalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Invalidate the entry of one call, from a coroutine."""
        engine = current_engine()
        await aannounce(engine, [self._call_namespace(args, dict(kwargs))])

    def invalidate_all(self) -> None:
        """Invalidate the entries of all calls of this function, in one round trip."""
        announce(current_engine(), [self._identity.namespace])

    async def ainvalidate_all(self) -> None:
        """Invalidate the entries of all calls of this function, from a coroutine."""
        await aannounce(current_engine(), [self._identity.namespace])

    def __repr__(self) -> str:
        """Name the function."""
        return f"<{type(self).__name__} {self._identity.path}>"

    def __reduce__(self) -> str:
        """Pickle by name, as a function."""
        return self.__qualname__

    def __deepcopy__(self, _: object) -> Self:
        """Return itself, as a function."""
        return self

    def _bound_to(self, instance: object, owner: type | None) -> Self:
        """Bind as what was decorated does: a function, a class method or a static method."""
        if self._binds is staticmethod or (instance is None and self._binds is not classmethod):
            return self
        return self._bind(instance if self._binds is not classmethod else owner or type(instance))

    def _bind(self, instance: object) -> Self:
        """Return this function with ``instance`` as its first argument, in everything that it offers."""
        bound = object.__new__(type(self))
        wrapped = MethodType(self.__dict__["__wrapped__"], instance)
        bound.__dict__.update(self.__dict__, _bound=(*self._bound, instance), __wrapped__=wrapped)
        return bound

    def _job(self, engine: Engine, args: tuple[object, ...], kwargs: dict[str, object]) -> Job:
        args = (*self._bound, *args)
        timeout = self._identity.options.timeout
        return Job(
            engine,
            self._identity,
            self._identity.call(engine, args, kwargs),
            Compute(functools.partial(self._function, *args, **kwargs)),  # type: ignore[arg-type]  # they come from P
            round((engine.settings.timeout if timeout is None else timeout) * 1000),
        )

    def _call_namespace(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Namespace:
        digest = self._identity.digest((*self._bound, *args), kwargs)
        return Namespace(Kind.CALL, self._identity.path, digest)


class CachedFunction(_Cached[P], Generic[P, R]):
    """A cached function; call it as the function itself, which is ``__wrapped__``."""

    __wrapped__: Callable[P, R]

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns, from the store where that is known to be right."""
        return self._answer(args, dict(kwargs), fresh=False)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> CachedFunction[Q, R]: ...

    def __get__(self, instance: object, owner: type | None = None) -> object:
        """Bind to an instance, as a function does: the instance becomes the first argument."""
        return self._bound_to(instance, owner)

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and replace the entry of this call."""
        return self._answer(args, dict(kwargs), fresh=True)

    def _answer(self, args: tuple[object, ...], kwargs: dict[str, object], *, fresh: bool) -> R:
        engine = current_engine()
        reason = switched_off(engine)
        if reason:
            note_bypass(engine, self._identity.path, reason)
            return self.__wrapped__(*args, **kwargs)  # type: ignore[arg-type]  # they come from P
        return cast("R", read(self._job(engine, args, kwargs), fresh=fresh))


class AsyncCachedFunction(_Cached[P], Generic[P, R]):
    """A cached coroutine function; call it and await the result, as the function itself."""

    __wrapped__: Callable[P, Awaitable[R]]

    def __init__(
        self, function: Callable[P, Awaitable[R]], options: Options, *, binds: type | None = None
    ) -> None:
        super().__init__(function, options, binds=binds)
        markcoroutinefunction(self)

    async def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns, from the store where that is known to be right."""
        return await self._answer(args, dict(kwargs), fresh=False)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(
        self: AsyncCachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> AsyncCachedFunction[Q, R]: ...

    def __get__(self, instance: object, owner: type | None = None) -> object:
        """Bind to an instance, as a function does: the instance becomes the first argument."""
        return self._bound_to(instance, owner)

    async def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and replace the entry of this call."""
        return await self._answer(args, dict(kwargs), fresh=True)

    async def _answer(self, args: tuple[object, ...], kwargs: dict[str, object], *, fresh: bool) -> R:
        engine = current_engine()
        reason = switched_off(engine)
        if reason:
            note_bypass(engine, self._identity.path, reason)
            return await self.__wrapped__(*args, **kwargs)  # type: ignore[arg-type]  # they come from P
        return cast("R", await aread(self._job(engine, args, kwargs), fresh=fresh))


class Decorator(Protocol):
    """What ``cached(...)`` returns."""

    # A coroutine function is a function, too: the first that fits counts.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[object, object, R]], /
    ) -> AsyncCachedFunction[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...


# A model is callable, and a coroutine function is a function: the first that fits counts.
@overload
def cached(  # type: ignore[overload-overlap]
    *dependencies: Dependency,
    timeout: float | timedelta | Missing | None = ...,
    depends_on: Callable[..., Iterable[Dependency]] | None = ...,
    key: Callable[..., object] | None = ...,
    lock: bool = ...,
) -> Decorator: ...


@overload
def cached(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[object, object, R]], /
) -> AsyncCachedFunction[P, R]: ...


@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...


def cached(
    *dependencies: object,
    timeout: float | timedelta | Missing | None = MISSING,
    depends_on: Callable[..., Iterable[object]] | None = None,
    key: Callable[..., object] | None = None,
    lock: bool = False,
) -> object:
    """Cache what a function or a coroutine function returns, until something that it depends on is written.

    With nothing declared, the tables that the function's queries read are found while it runs. With ``dependencies``
    or ``depends_on``, these are what it depends on, and what the cached functions that it calls depend on.

    Args:
        dependencies: Models, labels ``"app.Model"``, ``obj(Model, pk)``, or names for ``invalidate(name)``.
        timeout: Life of an entry in seconds or as a ``timedelta``; ``None``: 30 days; 0: nothing is stored. Not
            given: ``GENSCACHE["TIMEOUT"]``.
        depends_on: Called with the call's arguments; returns further dependencies of that call.
        key: Called with the call's arguments; what it returns stands for them in the key. For arguments that have no
            canonical form, such as requests.
        lock: One process at a time fills an entry; the others wait for it, 10 seconds at most.

    Returns:
        A ``CachedFunction`` or an ``AsyncCachedFunction``. Exceptions are not cached; ``None`` is.

    Raises:
        InvalidNamespace: A dependency can be none.
        ValueError: The timeout is negative or too long.
        TypeError: What is decorated is no function, or a generator function.
    """
    if len(dependencies) == 1 and _is_decorated(dependencies[0]):
        return cached()(cast("FunctionType", dependencies[0]))
    for each in dependencies:
        _check(each)
    for name, hook in (("depends_on", depends_on), ("key", key)):
        if hook is not None and not callable(hook):
            raise TypeError(
                f"{name}= must be a function of the call's arguments, got {hook!r}. Use lambda pk: ..."
            )
    if not isinstance(lock, bool):
        raise TypeError(f"lock= must be True or False, got {lock!r}.")
    life = None if timeout is MISSING else conf.seconds("timeout", timeout)
    return functools.partial(_decorated, options=Options(dependencies, life, depends_on, key, lock))


def _decorated(
    function: object, *, options: Options, binds: type | None = None
) -> CachedFunction[..., object] | AsyncCachedFunction[..., object]:
    """Make the cached function of whatever the decorator stands on."""
    if isinstance(function, classmethod | staticmethod):
        return _decorated(function.__func__, options=options, binds=type(function))
    if not inspect.isfunction(function):
        # A bound method or a partial hides values that belong into the key.
        raise TypeError(
            f"@cached decorates functions written with def, got {function!r}. Decorate a method where its class is "
            "written, and a function rather than a partial of it."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__qualname__}() is a generator; its result can be read once. Return a list."
        )
    kind = AsyncCachedFunction if inspect.iscoroutinefunction(function) else CachedFunction
    return kind(function, options, binds=binds)


def path_of(function: _Cached[...]) -> str:
    """Return what events and messages call a cached function."""
    return function._identity.path  # noqa: SLF001 - of this module


def job_of(
    function: _Cached[...], engine: Engine, args: tuple[object, ...], kwargs: dict[str, object]
) -> Job:
    """Return the job of answering one call of a cached function.

    Raises:
        TypeError: The function cannot be called so.
        UncacheableArgument: An argument has no canonical form.
    """
    return function._job(engine, args, kwargs)  # noqa: SLF001 - of this module


def _is_decorated(only: object) -> bool:
    """Tell whether what stands in the parentheses is what ``@cached`` without parentheses stands on."""
    if isinstance(only, type | ObjectRef | models.Model | str):
        return False
    return callable(only) or isinstance(only, classmethod | staticmethod | property)


def _check(dependency: object) -> None:
    """Refuse at once what can never be a dependency; labels are looked up when the models are there."""
    if isinstance(dependency, ObjectRef | models.Model) or (isinstance(dependency, str) and dependency):
        return
    if isinstance(dependency, type) and issubclass(dependency, models.Model):
        resolve_model(dependency)
        return
    raise InvalidNamespace(
        f"{dependency!r} is nothing that a function can depend on. "
        'Pass a model, "app.Model", obj(Model, pk) or a name.'
    )
