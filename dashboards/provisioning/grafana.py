"""A Grafana reached by its HTTP API: what is asked, what is written, and errors that show no secret.

grafana-api is small and old; it stays behind this one file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace
from requests import JSONDecodeError, RequestException

from plant.errors import DeviceError

TIMEOUT_S = 10.0
HIDDEN = "***"
REDACTED = "[REDACTED]"
"""What Grafana gives instead of a secret."""
SHORTEST_SECRET = 4
"""What is shorter is not looked for in messages: they would become unreadable, and it is none."""


@dataclass(frozen=True)
class Change:
    """What was done, or in a dry run would be, to one thing in Grafana."""

    what: str
    done: Literal["created", "changed", "removed", "unchanged"]


class Grafana:
    """A Grafana at `url`; `token` is a service account's, or 'user:password'. A dry run writes nothing."""

    def __init__(self, url: str, token: str, *, dry_run: bool = False) -> None:
        parts = urlsplit(url)
        self.dry_run = dry_run
        self._secrets = {token, *token.split(":", 1)[1:]}
        path = parts.path.strip("/")
        self._api = GrafanaFace(
            auth=tuple(token.split(":", 1)) if ":" in token else token,
            host=parts.hostname or "localhost",
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme or "http",
            timeout=TIMEOUT_S,
        ).api

    def get(self, path: str) -> Any:
        """What stands there; None when nothing does."""
        try:
            return self._api.GET(path)
        except GrafanaClientError as error:
            if error.status_code == 404:
                return None
            raise

    def write(
        self,
        verb: Literal["POST", "PUT", "DELETE"],
        path: str,
        body: Any = None,
        *,
        found: dict[str, Any] | None = None,
    ) -> None:
        """Writes, unless this is a dry run.

        What concerns alerts stays open to people in Grafana's pages, unless `found`, what stood there, was written
        otherwise: Grafana refuses to change how a thing is owned.
        """
        if not self.dry_run:
            owned = (found or {}).get("provenance")
            headers = None if owned else {"X-Disable-Provenance": "true"}
            # what was removed answers without content, which grafana-api takes for broken JSON
            with suppress(JSONDecodeError):
                getattr(self._api, verb)(path, json=body, headers=headers)

    @contextmanager
    def talking(self, secrets: Iterable[str] = ()) -> Iterator[None]:
        """Turns what Grafana refuses, and its silence, into DeviceError that shows none of its and these secrets."""
        hidden = sorted((one for one in {*self._secrets, *secrets} if len(one) >= SHORTEST_SECRET), key=len)

        def shown(text: str) -> str:
            for one in reversed(hidden):
                text = text.replace(one, HIDDEN)
            return text

        try:
            yield
        except GrafanaException as error:
            retryable = not isinstance(error, GrafanaClientError)
            # the cause is not kept: a traceback would show it as it came
            raise DeviceError(shown(f"Grafana answers: {error.message}"), retryable=retryable) from None
        except RequestException as error:
            raise DeviceError(shown(f"Grafana does not answer: {error}")) from None


def holds(found: Any, wanted: Any) -> bool:
    """Whether what Grafana keeps has all that is wanted; what it adds, and what it hides, is its own affair."""
    if found == REDACTED and isinstance(wanted, str):
        return True
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        pairs = zip(found, wanted, strict=True) if isinstance(found, list) and len(found) == len(wanted) else None
        return pairs is not None and all(holds(one, other) for one, other in pairs)
    return bool(found == wanted)
