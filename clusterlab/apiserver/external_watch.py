"""Watches opened over HTTP: what kubectl -w, informers of client libraries and operators read.

Follows staging/src/k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go (events for selectors, initial events, bookmarks) and
pkg/endpoints/handlers/watch.go. The web host sets `on_event` and takes bytes when told; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.storage import Bucket, Write
    from clusterlab.apiserver.watch_cache import WatchCache
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]
Match = Callable[[Object], bool]
Encode = Callable[[str, Object], bytes]

__all__ = ["INITIAL_EVENTS_END", "ExternalWatch"]

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
#: A client that leaves more than this many events unread is cut off and has to list again, as a slow one is in Kubernetes.
QUEUE_LIMIT = 20_000


class ExternalWatch:
    """One open watch. `encode` turns (event type, object) into a line."""

    code = 200

    def __init__(
        self, cache: WatchCache, bucket: Bucket, namespace: str, match: Match | None, encode: Encode,
        content_type: str, headers: list[tuple[str, str]], resource: Resource, timeout_s: float = 0, bookmarks: bool = False,
    ) -> None:
        self.bucket = bucket
        self.resource = resource
        self.content_type = content_type
        self.headers = headers
        self.timeout_s = timeout_s
        self.bookmarks = bookmarks
        self.closed = False
        self.on_event: Callable[[], None] | None = None
        #: Objects that another resource's objects imply (registry/derived.py): that resource's bucket, and what one of them implies.
        self.source: tuple[Bucket, Callable[[Object], dict[str, Object]]] | None = None
        self._cache = cache
        self._prefix = f"{namespace}/" if namespace else ""
        self._match = match
        self._encode = encode
        self._queue: deque[tuple[str, Object]] = deque()

    # What the server tells.

    def offer(self, write: Write) -> bool:
        """Takes a change if it concerns this watch: an object that begins to match is ADDED, one that ceases is DELETED."""
        if self._prefix and not write.key.startswith(self._prefix):
            return False
        match = self._match
        before = write.old is not None and (match is None or match(write.old))
        after = write.new is not None and (match is None or match(write.new))
        if after:
            self.push("MODIFIED" if before else "ADDED", write.last)
        elif before:
            self.push("DELETED", write.last if write.new is None else _at(write.old, write.revision))
        return before or after

    def follow(self, write: Write) -> bool:
        """Takes a change of what implies the objects watched. They come and go with it, but never change."""
        assert self.source is not None
        imply = self.source[1]
        before = imply(write.old) if write.old is not None else {}
        after = imply(write.new) if write.new is not None else {}
        gone = [("DELETED", _at(obj, write.revision)) for name, obj in before.items() if name not in after]
        told = gone + [("ADDED", obj) for name, obj in after.items() if name not in before]
        told = [(kind, obj) for kind, obj in told if self.selects(obj["metadata"]["name"], obj)]
        for kind, obj in told:
            self.push(kind, obj)
        return bool(told)

    def selects(self, key: str, obj: Object) -> bool:
        """Whether an object belongs to what is watched."""
        return key.startswith(self._prefix) and (self._match is None or self._match(obj))

    def push(self, kind: str, obj: Object) -> None:
        """Queues an event and tells the host."""
        if self.closed:
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self.close()
            return
        self._queue.append((kind, obj))
        if self.on_event is not None:
            self.on_event()

    def bookmark(self, revision: int) -> None:
        """Queues a bookmark, if the client wants any and has nothing else to read."""
        if self.bookmarks and not self._queue:
            meta = {"resourceVersion": str(revision), "creationTimestamp": None}
            self.push("BOOKMARK", {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": meta})

    # What the host calls.

    def take(self, limit: int = 1 << 18) -> bytes:
        """The next lines, about `limit` bytes at most; b"" when there is nothing to send."""
        parts, size = [], 0
        while self._queue and size < limit:
            line = self._encode(*self._queue.popleft())
            parts.append(line)
            size += len(line)
        return b"".join(parts)

    def close(self) -> None:
        """Ends the watch; what is queued may still be taken."""
        if not self.closed:
            self.closed = True
            self._cache.remove_external(self)
            if self.on_event is not None:
                self.on_event()


def _at(obj: Object | None, revision: int) -> Object:
    assert obj is not None
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
