"""python3 -m unittest"""

import asyncio
import logging
import unittest

from work import MAX_WAITING, Busy, Router, Work

EVENT = {"id": "evt_1", "type": "user.login"}


class WorkTest(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable()

    def test_what_fails_runs_again_without_what_succeeded_and_in_the_end_the_event_may_come_again(self) -> None:
        router, runs = Router(), []

        @router.on("user.*")
        async def ill(_) -> None:
            runs.append("ill")
            raise ValueError("as told")

        @router.on("user.login")
        async def well(_) -> None:
            runs.append("well")

        @router.on("user")
        @router.on("users.*")
        async def wrong(_) -> None:
            runs.append("wrong")

        work = Work(router, backoff=0.001)
        self.assertEqual(work.take([EVENT, EVENT]), 1)
        work.finish()
        self.assertEqual(runs, ["ill", "well", "ill", "ill"])
        self.assertEqual(work.take([EVENT]), 1)
        work.finish()

    def test_what_succeeded_is_known_when_it_comes_again(self) -> None:
        work = Work(Router())
        self.assertEqual(work.take([EVENT]), 1)
        work.finish()
        self.assertEqual(work.take([EVENT]), 0)

    def test_a_handler_that_hangs_is_given_up(self) -> None:
        router = Router()

        @router.on("*")
        async def hangs(_) -> None:
            await asyncio.Event().wait()

        work = Work(router, backoff=0.001, timeout=0.001)
        work.take([EVENT])
        work.finish()
        self.assertEqual(work.take([EVENT]), 1)
        work.finish()

    def test_there_is_room_for_so_many_events(self) -> None:
        events = [{"id": f"evt_{number}", "type": "user.login"} for number in range(MAX_WAITING + 1)]
        work = Work(Router())
        with self.assertRaises(Busy):
            work.take(events)
        self.assertEqual(work.take(events[:-1]), MAX_WAITING)


if __name__ == "__main__":
    unittest.main()
