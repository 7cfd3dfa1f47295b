"""asyncio: the loop goes on, and each coroutine gets its own answer."""

import asyncio
import json
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

import support
from mona import AsyncClient, MonaServiceException, MonaSingleMessage

SLOW = [{"path": "/export", "delay_ms": 500}]


def message(number):
    return MonaSingleMessage({"a": number}, "LOANS", f"id-{number}", 1700000000000)


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
