"""asyncio: the loop goes on, and each coroutine gets its own answer."""

import asyncio
import gc
import select
import sys
import threading
import unittest
import unittest.mock
import weakref
from concurrent.futures import ThreadPoolExecutor

import support
from mona import AsyncClient, MonaServiceException, MonaSingleMessage, Native, native

SLOW = [{"path": "/export", "delay_ms": 500}]


def message(number):
    return MonaSingleMessage({"a": number}, "LOANS", f"id-{number}", 1700000000000)


def begun(client):
    """A coroutine that is under way, and which no task holds."""
    call = client.export_async([])
    call.send(None)
    return call


def begun_in(loop, client):
    async def begin():
        return begun(client)

    return loop.run_until_complete(begin())


class Coroutines(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        support.reset()
        self.client = AsyncClient()

    async def test_the_loop_goes_on_during_a_slow_call(self):
        support.reset(SLOW)
        call, turns = asyncio.ensure_future(self.client.export_async(message(1))), 0
        while not call.done():
            await asyncio.sleep(0.001)
            turns += 1
        self.assertIs(await call, True)
        self.assertGreater(turns, 5)

    async def test_each_of_many_gets_its_own_answer(self):
        rule = {"path": "/configs", "status": 400, "json": {"response_data": "no"}}
        support.reset([rule])
        calls = [self.client.export_async(message(number)) for number in range(100)]
        calls += [self.client.get_config_async() for _ in range(100)]
        answers = await asyncio.gather(*calls)
        self.assertEqual(answers[:100], [True] * 100)
        self.assertEqual({answer["error_message"] for answer in answers[100:]}, {"no"})
        self.assertEqual(len(support.messages()), 100)

    async def test_exceptions_come_out_of_the_await(self):
        client = AsyncClient(
            override_app_server_host="127.0.0.1:1", raise_service_exceptions=True
        )
        with self.assertRaises(MonaServiceException):
            await client.get_config_async()

    async def test_a_cancelled_call_troubles_nobody(self):
        support.reset(SLOW)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.client.export_async(message(1)), 0.01)
        support.ask("DELETE", "rules")
        self.assertIs(await self.client.export_async(message(2)), True)

    async def test_cancelled_calls_leave_their_room_to_others(self):
        client = Native({"async_max_calls": 1})
        call = asyncio.ensure_future(client.export_async([]))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        # Its end is there, and no loop watches for it.
        select.select([native._LIBRARY.mona_event_fd(client._client)], [], [])
        self.assertEqual((await client.export_async([]))["total"], 0)

    @unittest.skipUnless(hasattr(sys, "set_int_max_str_digits"), "any number is read")
    async def test_an_answer_that_cannot_be_read_is_an_exception(self):
        rule = f'{{"path":"/insights","json":{{"response_data":{"1" * 10_000}}}}}'
        support.ask("POST", "rules", f'{{"defaults":{{"enforce_auth":false}},"rules":[{rule}]}}')
        with self.assertRaisesRegex(ValueError, "digits"):
            await asyncio.wait_for(self.client.get_insights_async("LOANS", 1), 30)

    async def test_a_loop_that_once_refused_the_descriptor_serves_later_calls(self):
        loop = asyncio.get_running_loop()
        with unittest.mock.patch.object(loop, "add_reader", side_effect=OSError):
            with self.assertRaises(OSError):
                await self.client.export_async(message(1))
        self.assertIs(await asyncio.wait_for(self.client.export_async(message(2)), 30), True)

    async def test_a_call_that_is_ended_by_another_thread_is_unwatched_by_its_loops_own(self):
        client, threads = Native(), []
        loop = asyncio.get_running_loop()
        with unittest.mock.patch.object(
            loop, "remove_reader", lambda _: threads.append(threading.current_thread())
        ):
            call = begun(client)
            with ThreadPoolExecutor(1) as collector:
                collector.submit(call.close).result()
            self.assertEqual(threads, [])
            await asyncio.sleep(0)
        self.assertEqual(threads, [threading.current_thread()])

    async def test_an_executor_is_used_where_one_is_given(self):
        names = []
        with ThreadPoolExecutor(1, initializer=lambda: names.append(1)) as executor:
            sent = await self.client.export_async(message(1), executor=executor)
        self.assertEqual((sent, names), (True, [1]))

    async def test_closing_is_awaited_too(self):
        async with AsyncClient() as client:
            client.enqueue([message(1)])
        self.assertEqual(len(support.messages()), 1)


class Loops(unittest.TestCase):
    def setUp(self):
        support.reset()

    def test_a_client_serves_one_loop_after_another(self):
        client = AsyncClient()
        for number in range(3):
            self.assertIs(asyncio.run(client.export_async(message(number))), True)

    def begun_in_a_closed_loop(self, client):
        """A call under way that no loop will end."""
        loop = asyncio.new_event_loop()
        call = loop.create_task(client.export_async([]))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        # asyncio would tell of it.
        call._log_destroy_pending = False
        return call

    def test_a_loop_that_was_closed_early_troubles_no_other(self):
        client = Native({"async_max_calls": 1})
        call = self.begun_in_a_closed_loop(client)
        select.select([native._LIBRARY.mona_event_fd(client._client)], [], [])
        self.assertEqual(asyncio.run(client.export_async([]))["total"], 0)
        self.assertFalse(call.done())

    def test_a_call_that_is_collected_with_its_client_leaves_that_alone(self):
        client = Native()
        held, call = weakref.ref(client), self.begun_in_a_closed_loop(client)
        with unittest.mock.patch.object(native._LIBRARY, "mona_event_fd") as descriptor:
            del client, call
            gc.collect()
        self.assertIsNone(held())
        descriptor.assert_not_called()

    def test_the_collector_may_end_a_call_while_another_begins(self):
        client, loop = Native(), asyncio.new_event_loop()
        abandoned, answers = begun_in(loop, client), []
        loop.close()

        async def call():
            loop = asyncio.get_running_loop()
            add_reader = loop.add_reader

            def collect_and_add(*arguments):
                abandoned.close()
                add_reader(*arguments)

            with unittest.mock.patch.object(loop, "add_reader", collect_and_add):
                answers.append(await client.export_async([]))

        thread = threading.Thread(target=asyncio.run, args=(call(),), daemon=True)
        thread.start()
        thread.join(30)
        self.assertEqual([answer["total"] for answer in answers], [0])

    def held_after_another_call(self, client, loop):
        select.select([native._LIBRARY.mona_event_fd(client._client)], [], [])
        asyncio.run(client.export_async([]))
        gc.collect()
        return loop()

    def test_a_client_does_not_hold_a_loop_that_was_closed_with_a_call_under_way(self):
        client = Native()
        loop = weakref.ref(self.begun_in_a_closed_loop(client).get_loop())
        self.assertIsNone(self.held_after_another_call(client, loop))

    def test_a_client_does_not_hold_a_loop_that_was_closed_after_the_collector_ended_a_call(self):
        client, loop = Native(), asyncio.new_event_loop()
        begun_in(loop, client).close()
        loop.close()
        held = weakref.ref(loop)
        del loop
        self.assertIsNone(self.held_after_another_call(client, held))

    def test_a_client_serves_several_loops_at_once(self):
        client, answers = AsyncClient(), []

        async def several():
            calls = (client.export_async(message(number)) for number in range(50))
            answers.extend(await asyncio.gather(*calls))

        threads = [threading.Thread(target=asyncio.run, args=(several(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [True] * 200)


if __name__ == "__main__":
    unittest.main()
