"""Our errors for those of the model clients: what may pass, what will not, and what the user must set."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import httpx2
import openai

from agent.errors import AgentError, ConfigError, ModelError, TransientModelError
from agent.masking import masked
from agent.settings import known_secrets

_MOVED = range(300, 400)
_REFUSED = frozenset(range(400, 500)) - {408, 409, 425, 429}
"""What the same request would meet again."""


def translated(error: Exception, name: str) -> AgentError:
    """Our error for one of the client's, without any key a server repeats."""
    match error:
        case openai.APIStatusError():
            return _of_status(error, name)
        case openai.APIConnectionError(request=request):
            place = request.url.host + (f":{request.url.port}" if request.url.port else "")
            return TransientModelError(f"no connection to {place} for model {name!r}: {short(_root_of(error))}")
        case aiohttp.ClientError() | httpx2.HTTPError() | OSError():  # the SDK's adapter lets some of them through
            return TransientModelError(f"model {name!r}: broken connection ({type(error).__name__}: {short(error)})")
        case openai.OpenAIError() | AttributeError() | TypeError() | LookupError() | ValueError():
            return TransientModelError(f"model {name!r}: unreadable answer ({type(error).__name__})")
    return ModelError(f"model {name!r} failed: {type(error).__name__}: {short(error)}")


def _of_status(error: openai.APIStatusError, name: str) -> AgentError:
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ConfigError(f"the server refused the key for model {name!r}: set OPENAI_API_KEY to a valid one")
        case openai.NotFoundError():
            return ConfigError(
                f"the server knows no model {name!r} or no such path: check FACTDESK_MODEL and FACTDESK_BASE_URL"
            )
        case openai.RateLimitError(code="insufficient_quota"):
            return ConfigError(f"the account behind model {name!r} has no quota left: top it up or use another key")
        case openai.APIStatusError(status_code=status) if status in _REFUSED:
            return ModelError(f"the server refused the request to model {name!r} ({status}): {short(error)}")
        case openai.APIStatusError(status_code=status) if status in _MOVED:
            return ConfigError(
                f"the server sends calls to model {name!r} elsewhere ({status}): check FACTDESK_BASE_URL"
            )
    wait = _retry_after(error.response.headers)
    return TransientModelError(f"model {name!r}: status {error.status_code}", retry_after=wait)


def short(said: object) -> str:
    """The beginning of what a server or its client said, without keys: masked before it is cut."""
    return masked(str(said), known_secrets()).partition("\n")[0][:200]


def _root_of(error: BaseException) -> BaseException:
    """What the client's error was made from: more than `Connection error`."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    from email.utils import parsedate_to_datetime

    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        from datetime import UTC, datetime

        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
