"""The errors that a client gets to read."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered, and why, in words for the one who asked.

    Attributes:
        status: HTTP status code.
        kind: one word for programs.
        message: a sentence for people; never holds credentials, paths or stack traces.
        retry_after: seconds after which it may be worth to try again.
    """

    def __init__(
        self, status: int, kind: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.retry_after = retry_after

    def body(self, request_id: str) -> dict[str, object]:
        """Return the refusal as the JSON that every error answer has."""
        return {
            "error": {"kind": self.kind, "message": self.message},
            "request_id": request_id,
        }

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def database_gone() -> Refusal:
    """Return the refusal of a request whose database is not there."""
    return Refusal(503, "database", "the database cannot be reached; the server's log says more", 5)
