"""Which call is which: one function's arguments, bound to its parameters and written canonically."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Final

from genscache.arguments import Encoders, canonical, encode
from genscache.exceptions import UncacheableArgument
from genscache.scalars import SCALARS, NoCanonicalForm

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def function_path(function: Callable[..., object]) -> str:
    """Return ``"module.qualname"``, the owner of a function's namespaces."""
    return f"{function.__module__}.{function.__qualname__}"


class CallSignature:
    """The parameters of one function, looked at once.

    Two calls that mean the same have the same bytes: ``f(1)``, ``f(limit=1)`` and, where 1 is the default, ``f()``.

    Attributes:
        name: What messages call the function.
        signature: As ``inspect`` sees it.
    """

    __slots__ = ("_defaults", "_function", "_plain", "_prefixes", "_required", "name", "signature")

    def __init__(self, function: Callable[..., object]) -> None:
        """Look at ``function``.

        Raises:
            ValueError: It has no signature that Python can tell, as some functions written in C.
        """
        self._function = function
        self.name: str = getattr(function, "__qualname__", repr(function))
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self._prefixes = {parameter.name: encode(parameter.name) for parameter in parameters}
        leading = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
        # None where even a call by position needs Signature.bind: *args, **kwargs or keyword-only parameters.
        self._plain = tuple(self._prefixes.items()) if len(leading) == len(self._prefixes) else None
        self._defaults: tuple[object, ...] = tuple(parameter.default for parameter in leading)
        self._required = sum(parameter.default is Parameter.empty for parameter in leading)

    def encode(
        self, args: tuple[object, ...], kwargs: Mapping[str, object], *, extra: Encoders = ()
    ) -> bytes:
        """Return bytes that identify the call.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments, in any order.
            extra: Hooks for types that have no canonical form of their own.

        Raises:
            TypeError: The function cannot be called so; what calling it would raise.
            UncacheableArgument: An argument has no canonical form.
        """
        plain = self._plain
        if plain is None or kwargs or not self._required <= len(args) <= len(plain):
            return self._encode_bound(self.bind(args, kwargs), extra)
        # The common call takes a third of the time without Signature.bind, and binds to the same.
        parts = []
        for (name, prefix), value in zip(plain, args + self._defaults[len(args) :], strict=True):
            scalar = SCALARS.get(type(value))
            parts.append(prefix)
            parts.append(scalar(value) if scalar is not None else self._encode_one(name, value, extra))
        return b"".join(parts)

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        """Return the value of every parameter, defaults included.

        Raises:
            TypeError: The function cannot be called so; what calling it would raise.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise self._own_error(args, kwargs, error) from None
        bound.apply_defaults()
        if len(bound.arguments) != len(self._prefixes):
            # Python 3.13's bind() overlooks a positional-only parameter whose name is among the **kwargs.
            missing = [name for name in self._prefixes if name not in bound.arguments]
            raise self._own_error(args, kwargs, TypeError(f"missing a required argument: {missing[0]!r}"))
        return bound.arguments

    def _encode_bound(self, arguments: Mapping[str, object], extra: Encoders) -> bytes:
        parts = []
        for name, value in arguments.items():
            parts.append(self._prefixes[name])
            if self.signature.parameters[name].kind is Parameter.VAR_KEYWORD and isinstance(value, dict):
                parts.extend(
                    encode(key) + self._encode_one(key, item, extra) for key, item in sorted(value.items())
                )
            else:
                parts.append(self._encode_one(name, value, extra))
        return b"".join(parts)

    def _encode_one(self, name: str, value: object, extra: Encoders) -> bytes:
        try:
            return canonical(value, extra)
        except NoCanonicalForm as error:
            what = f'"{name}"' if not error.path else f'"{name}": {name}{error.path}'
            raise UncacheableArgument(
                f"{self.name}(): argument {what} {error.reason}. "
                "Pass a plain value such as request.user.pk, or give @cached(key=lambda ...)."
            ) from None

    def _own_error(
        self, args: tuple[object, ...], kwargs: Mapping[str, object], error: TypeError
    ) -> TypeError:
        """Return the error that Python would raise for the call; Signature.bind words it in its own way."""
        try:
            inspect.getcallargs(self._function, *args, **kwargs)
        except TypeError as own:
            return own
        return TypeError(f"{self.name}() {error}")
