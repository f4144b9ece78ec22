"""Work that ends when whoever asked for it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from text2sql.serve.messages import Refusal

Given = TypeVar("Given")


class Gone(Refusal):
    """Whoever asked is gone; nobody reads this, but the log counts it."""

    def __init__(self) -> None:
        super().__init__(499, "gone", "whoever asked is gone")


async def while_asked(
    work: Coroutine[Any, Any, Given], leaving: Coroutine[Any, Any, object]
) -> Given:
    """Return what some work returns.

    Args:
        work: cancelled where its asker is gone, and where this call itself is cancelled.
        leaving: ends when the asker is gone.

    Raises:
        Gone: the asker is gone; the work has ended.
    """
    working, left = asyncio.create_task(work), asyncio.create_task(leaving)
    try:
        await asyncio.wait({working, left}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        working.cancel()
        left.cancel()
        await asyncio.gather(working, left, return_exceptions=True)


async def hung_up(receive: Receive) -> None:
    """Return when the client of an HTTP request, whose body has been read, is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
