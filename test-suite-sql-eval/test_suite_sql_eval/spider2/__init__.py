"""Spider 2.0-lite's SQLite part: read as it is published (`files`), judged by its own rule."""

from .files import Instance, read_instances
from .judge import judge

__all__ = ["Instance", "judge", "read_instances"]
