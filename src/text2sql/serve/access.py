"""Who may ask, what, and how often."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from text2sql.serve.config import ServeConfig, TokenConfig
from text2sql.serve.messages import Refusal

ANYONE = "anyone"  # where no token is asked for
OWNER = "owner"  # who has the one token of TEXT2SQL_TOKEN
MAX_KNOWN = 10_000  # callers whose requests are counted at a time


@dataclass(frozen=True)
class Asker:
    """Who asks.

    Args:
        name: the name of the token, or ANYONE.
        client: the address of the machine, or ``stdio``.
        request_id: goes into answers and logs.
        rights: what the token allows.
    """

    name: str
    client: str
    request_id: str
    rights: TokenConfig

    @property
    def key(self) -> str:
        """Whose requests are counted together, and take turns with those of others."""
        return self.client if self.name == ANYONE else self.name


class Access:
    """Knows tokens, and counts requests.

    Args:
        config: tokens and limits.
        clock: gives seconds.
    """

    def __init__(self, config: ServeConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = {rights.sha256: (name, rights) for name, rights in config.tokens.items()}
        if config.token:
            digest = _digest(config.token.get_secret_value())
            self._tokens[digest] = OWNER, TokenConfig(sha256=digest, accept=True)
        self._limit, self._clock = config.requests_per_minute, clock
        self._counting = threading.Lock()
        # Of each caller the requests that are left, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def asker(self, authorization: str, client: str, request_id: str) -> Asker:
        """Return who asks; raise Refusal where a token is needed and none of ours is given.

        Args:
            authorization: the header of that name.
            client: the address.
            request_id: of the request.
        """
        if not self._tokens:
            return Asker(ANYONE, client, request_id, ALL_RIGHTS)
        kind, _, given = authorization.partition(" ")
        # A digest says nothing of how near a guess is, however long the look-up takes.
        name, rights = self._tokens.get(_digest(given.strip()), ("", None))
        if kind.lower() != "bearer" or rights is None:
            message = "this service needs a token: Authorization: Bearer ..."
            raise Refusal(401, "unauthorized", message)
        return Asker(name, client, request_id, rights)

    def require(self, asker: Asker, database: str | None, runs: bool) -> None:
        """Raise Refusal where a token does not allow something.

        Args:
            asker: who asks.
            database: the database it is about; None: about none of ours.
            runs: whether a query is run.
        """
        rights = asker.rights
        if database is not None and rights.databases and database not in rights.databases:
            raise Refusal(403, "not_allowed", "this token is not for this database")
        if runs and not rights.run:
            raise Refusal(403, "not_allowed", "this token may have SQL written, but not run")

    def count(self, asker: Asker) -> None:
        """Count a request; raise Refusal where there were too many of them in the last minute."""
        limit = asker.rights.requests_per_minute or self._limit
        if limit is None:
            return
        now = self._clock()
        with self._counting:
            left, then = self._left.pop(asker.key, (float(limit), now))
            left = min(float(limit), left + (now - then) * limit / 60)
            self._left[asker.key] = left - 1 if left >= 1 else left, now
            if len(self._left) > MAX_KNOWN:
                self._left.popitem(last=False)
        if left < 1:
            message = f"{limit} requests a minute are allowed; wait a moment"
            raise Refusal(429, "too_often", message, int((1 - left) * 60 / limit) + 1)


def make_token() -> tuple[str, str]:
    """Return a new token and the digest by which a service knows it."""
    token = secrets.token_urlsafe(32)
    return token, _digest(token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


ALL_RIGHTS = TokenConfig(sha256=_digest(""), accept=True)


def local_asker(request_id: str) -> Asker:
    """Return who asks over this process's own stdin: whoever could start it may ask all."""
    return Asker(ANYONE, "stdio", request_id, ALL_RIGHTS)
