"""What is done about events: each once, its handlers side by side, again where they fail."""

import asyncio
import logging
import threading
import time

REMEMBERED_SECONDS = 24 * 60 * 60
MAX_REMEMBERED = 100_000
MAX_WAITING = 1000
ATTEMPTS = 3
BACKOFF_SECONDS = 2
TIMEOUT_SECONDS = 30


class Busy(Exception):
    """Too much work is waiting."""


class Router:
    """Handlers by the patterns of the events that they take: a type, all below a prefix (resource.*), or all (*)."""

    def __init__(self) -> None:
        self._routes = []

    def on(self, pattern: str):
        def add(handler):
            self._routes.append((pattern, handler))
            return handler

        return add

    def matching(self, event_type: str) -> list:
        return [(pattern, handler) for pattern, handler in self._routes if matches(pattern, event_type)]


def matches(pattern: str, event_type: str) -> bool:
    if pattern in ("*", event_type):
        return True
    prefix = pattern[:-1]
    return pattern.endswith(".*") and event_type.startswith(prefix) and len(event_type) > len(prefix)


class Memory:
    """The ids of events, for a day, the oldest first. Yours belong into your database, beside what the events changed."""

    def __init__(self) -> None:
        self._until = {}

    def add(self, event_id: str) -> bool:
        """Whether the event is new."""
        now = time.monotonic()
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now and len(self._until) < MAX_REMEMBERED:
                break
            del self._until[oldest]
        if event_id in self._until:
            return False
        self._until[event_id] = now + REMEMBERED_SECONDS
        return True

    def forget(self, event_id: str) -> None:
        self._until.pop(event_id, None)


class Work:
    """Works on events in a thread of its own. Handlers that block belong into `asyncio.to_thread`."""

    def __init__(self, router: Router, backoff: float = BACKOFF_SECONDS, timeout: float = TIMEOUT_SECONDS) -> None:
        self._router = router
        self._backoff = backoff
        self._timeout = timeout
        self._memory = Memory()
        self._running = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def take(self, events: list) -> int:
        """Takes events on, all of them or none, and says how many are new. The work itself comes later."""
        return asyncio.run_coroutine_threadsafe(self._take(events), self._loop).result()

    def finish(self) -> None:
        """Ends when all that was taken on is done."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()

    async def _take(self, events: list) -> int:
        if len(self._running) + len(events) > MAX_WAITING:
            raise Busy
        fresh = [event for event in events if self._memory.add(event["id"])]
        for event in fresh:
            task = asyncio.ensure_future(self._handle(event))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(fresh)

    async def _finish(self) -> None:
        while self._running:
            await asyncio.wait(self._running)

    async def _handle(self, event: dict) -> None:
        routes = self._router.matching(event["type"])
        for attempt in range(1, ATTEMPTS + 1):
            routes = await self._run(event, routes, attempt)
            if not routes:
                return
            if attempt < ATTEMPTS:
                await asyncio.sleep(self._backoff * 2 ** (attempt - 1))
        logging.error("gave up %s", event["id"])
        self._memory.forget(event["id"])  # If it is sent again, it is welcome.

    async def _run(self, event: dict, routes: list, attempt: int) -> list:
        """Runs handlers side by side, and returns those that failed."""
        runs = [asyncio.wait_for(handler(event), self._timeout) for _, handler in routes]
        results = await asyncio.gather(*runs, return_exceptions=True)
        failed = [(route, error) for route, error in zip(routes, results) if isinstance(error, BaseException)]
        for (pattern, _), error in failed:
            logging.error("handler %s failed for %s, attempt %d: %r", pattern, event["id"], attempt, error)
        return [route for route, _ in failed]
