"""How large a server's answer may be: one that never ends would fill the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from linguabridge.errors import EndpointError

LARGEST = 64 * 2**20  # bytes, unpacked where they are compressed; log-probabilities of a long prompt take a few million


async def limit(response: Any) -> None:
    """Let the reading of a response end with an :class:`EndpointError` where it is too large.

    Args:
        response: of httpx, or of httpx2, whichever openai brings: a hook for its client.
    """
    read = response.aiter_bytes

    async def limited() -> AsyncIterator[bytes]:
        size = 0
        async with aclosing(read()) as parts:
            async for part in parts:
                size += len(part)
                if size > LARGEST:
                    raise EndpointError(
                        f"{response.url} answers with more than {LARGEST // 2**20} MiB, far more than was asked for; "
                        "look into the server's log."
                    )
                yield part

    response.aiter_bytes = limited  # what reading the whole goes by
