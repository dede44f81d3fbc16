"""`python -m tests.load.watched FILE …`: the server as `make run` starts it, with a thread that notes once a minute in FILE how it fares.

A line of JSON a minute: what the process holds (resident MB, Python's own blocks, descriptors, threads, tasks) and the event loop's longest
pause since the last one; a pause of more than 0.25 s comes as a line of its own, with what the loop was doing then.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from typing import Any

NOTE_S, ASK_S, LONG_S = 60.0, 0.05, 0.25


def held() -> dict[str, Any]:
    """What this process holds just now."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return {"mb": round(pages * 4096 / 1e6, 1), "blocks": sys.getallocatedblocks(), "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(), "cpu_s": round(time.process_time(), 1)}


def watch(loop: asyncio.AbstractEventLoop, file: str) -> None:
    """Asks the loop for a sign of life, again and again."""
    main, begin = threading.main_thread().ident, time.monotonic()
    noted, longest, asked = begin, 0.0, 0
    while True:
        time.sleep(ASK_S)
        there, at = threading.Event(), time.monotonic()
        try:
            loop.call_soon_threadsafe(there.set)
        except RuntimeError:  # it is closed
            return
        doing: list[str] = []
        if not there.wait(LONG_S):
            doing = traceback.format_stack(sys._current_frames().get(main or 0), limit=12)
            there.wait()
        paused, asked = time.monotonic() - at, asked + 1
        longest = max(longest, paused)
        lines = []
        if doing:
            lines.append({"at_s": round(at - begin, 1), "pause_s": round(paused, 3), "doing": [" ".join(each.split()) for each in doing]})
        if time.monotonic() - noted >= NOTE_S:
            noted = time.monotonic()
            lines.append({"at_s": round(noted - begin), **held(), "tasks": len(asyncio.all_tasks(loop)), "longest_s": round(longest, 3), "asked": asked})
            longest, asked = 0.0, 0
        if lines:
            with open(file, "a") as out:
                out.writelines(json.dumps(line) + "\n" for line in lines)


def main() -> None:
    file = sys.argv.pop(1)
    from clusterlab.web import serve

    close_with_reactor = serve.close_with_reactor

    def begin() -> None:
        from twisted.internet import reactor

        close_with_reactor()
        reactor.callWhenRunning(lambda: threading.Thread(  # type: ignore[attr-defined]
            target=watch, args=(asyncio.get_event_loop(), file), daemon=True).start())

    serve.close_with_reactor = begin
    serve.main()


if __name__ == "__main__":
    main()
