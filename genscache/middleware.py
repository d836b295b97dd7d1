"""Middleware: one ``snapshot()`` for each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from genscache.snapshots import snapshot

Response = HttpResponseBase | Awaitable[HttpResponseBase]


@sync_and_async_middleware
def snapshot_per_request(
    get_response: Callable[[HttpRequest], Response],
) -> Callable[[HttpRequest], Response]:
    """Answer each request inside one ``snapshot()``; what a streaming response reads later is outside of it.

    ``MIDDLEWARE += ["genscache.middleware.snapshot_per_request"]``

    Args:
        get_response: The rest of the stack, of either kind.
    """
    if iscoroutinefunction(get_response):

        async def arespond(request: HttpRequest) -> HttpResponseBase:
            async with snapshot():
                return await cast("Awaitable[HttpResponseBase]", get_response(request))

        return arespond

    def respond(request: HttpRequest) -> Response:
        with snapshot():
            return get_response(request)

    return respond
