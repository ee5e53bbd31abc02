"""What answers for ``evaluate`` and ``ask``: a server, where one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linguabridge.errors import InputError

if TYPE_CHECKING:
    from linguabridge.cache import Cache
    from linguabridge.engines.endpoint import Endpoint
    from linguabridge.progress import Reporter


def check_endpoint(endpoint: str | None, endpoint_model: str | None) -> None:
    """Refuse an address without a model, and a model without an address. Costs nothing: torch is not imported."""
    if (endpoint is None) != (endpoint_model is None):
        raise InputError("--endpoint and --endpoint-model go together: the address of a server, and a model it serves.")


def open_engine(
    endpoint: str | None,
    endpoint_model: str | None,
    *,
    chat: bool,
    cache: Cache,
    reporter: Reporter,
    concurrency: int = 8,
) -> Endpoint | None:
    """Connect to the server that is to answer; None where the model in this process is."""
    if endpoint is None or endpoint_model is None:
        return None
    from linguabridge.engines.endpoint import open_endpoint

    return open_endpoint(endpoint, endpoint_model, chat=chat, cache=cache, reporter=reporter, concurrency=concurrency)
