"""Memory, threads, the collector, the end of the program, and fork."""

import asyncio
import copy
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

import support
from mona import (
    AsyncClient,
    Client,
    MonaInvalidArgumentException,
    MonaSingleMessage,
    Native,
    native,
)

CALLS = int(os.environ.get("MONA_CALLS", 100_000))
SLOW = [{"path": "/export", "delay_ms": 500}]
MESSAGE = MonaSingleMessage({"a": 1}, "LOANS", "id-1", 1700000000000)


class Mallinfo(ctypes.Structure):
    """What glibc's mallinfo2 tells."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def allocated():
    """The bytes that malloc has given away: Python's own small objects are elsewhere."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    gc.collect()
    info = mallinfo()
    return info.uordblks + info.hblkhd


def many_calls(native, calls):
    """Every kind of call, in the shares that keep this cheap."""
    for number in range(calls):
        if number % 100 == 0:
            native.export(MESSAGE.get_dict())
        elif number % 10 == 1:
            native.enqueue(MESSAGE.get_dict())
        elif number % 10 == 2:
            native.stats()
        elif number % 10 == 3:
            try:
                native.service("no_such_service")
            except MonaInvalidArgumentException:
                pass
        else:
            native.export([])
    native.flush()


async def many_awaits(client, calls):
    for _ in range(calls // 20):
        await asyncio.gather(*(client.export_batch_async([]) for _ in range(20)))


class Memory(unittest.TestCase):
    def setUp(self):
        support.reset()

    def flat(self, act):
        """Memory after many calls is what it was after some."""
        act(CALLS // 10)
        before = allocated()
        act(CALLS)
        self.assertLess(allocated() - before, 1 << 20)

    def test_calls_leave_nothing(self):
        native = Native()
        self.flat(lambda calls: many_calls(native, calls))
        self.assertEqual(native.stats()["delivered"], CALLS // 10 + CALLS // 100)

    def test_awaits_leave_nothing(self):
        client = AsyncClient()
        self.flat(lambda calls: asyncio.run(many_awaits(client, calls)))

    def test_clients_leave_nothing(self):
        def clients(calls):
            for _ in range(calls // 100):
                Client(authenticate_on_init=False)
            while not native._collected.empty():
                time.sleep(0.001)

        self.flat(clients)


class Copies(unittest.TestCase):
    def test_a_client_is_neither_copied_nor_pickled(self):
        client = Native()
        for act in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.subTest(act), self.assertRaisesRegex(TypeError, "neither copied nor pickled"):
                act(client)

    def test_a_copy_of_a_client_of_mona_sdks_kind_shares_what_it_owns(self):
        support.reset()
        client = Client()
        other = copy.copy(client)
        del client
        gc.collect()
        self.assertIs(other.export(MESSAGE), True)


class Threads(unittest.TestCase):
    def test_another_thread_goes_on_during_a_slow_call(self):
        support.reset(SLOW)
        client = Client()
        call = threading.Thread(target=client.export, args=(MESSAGE,))
        call.start()
        turns = 0
        while call.is_alive():
            threading.Event().wait(0.001)
            turns += 1
        self.assertGreater(turns, 5)

    def test_the_collector_leaves_freeing_to_another_thread(self):
        support.reset()
        may_free, freed = threading.Event(), threading.Event()

        def free(client):
            may_free.wait()
            mona_client_free(client)
            freed.set()

        mona_client_free = native._LIBRARY.mona_client_free
        with unittest.mock.patch.object(native._LIBRARY, "mona_client_free", free):
            client = Client()
            client.enqueue([MESSAGE])
            del client
            gc.collect()
            may_free.set()
            freed.wait()
        self.assertEqual(len(support.messages()), 1)

    def test_clients_are_freed_although_there_was_no_thread_for_that_once(self):
        said = python(
            "import gc, mona, threading\n"
            "from mona import native\n"
            "start, free, freed = threading.Thread.start, native._LIBRARY.mona_client_free, threading.Semaphore(0)\n"
            "def fail(thread):\n"
            "    threading.Thread.start = start\n"
            "    raise RuntimeError('no thread')\n"
            "threading.Thread.start = fail\n"
            "native._LIBRARY.mona_client_free = lambda client: (free(client), freed.release())\n"
            "for attempt in range(2):\n"
            "    try:\n"
            "        mona.Native()\n"
            "    except RuntimeError as error:\n"
            "        print(error)\n"
            "gc.collect()\n"
            "print(all(freed.acquire(timeout=30) for client in range(2)))\n"
        )
        self.assertEqual(said, "no thread\nTrue\n")


def python(program):
    """The output of a program of its own; newer Pythons warn of any fork beside a thread."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


class Ends(unittest.TestCase):
    def setUp(self):
        support.reset()

    def test_what_is_enqueued_arrives_though_the_program_ends(self):
        said = python(
            "import mona\n"
            "client = mona.Client()\n"
            "client.enqueue([mona.MonaSingleMessage({'a': 1}, 'LOANS')])\n"
        )
        self.assertEqual((said, len(support.messages())), ("", 1))

    def test_a_forked_child_uses_its_parents_client(self):
        said = python(
            "import asyncio, gc, mona, os\n"
            "message = mona.MonaSingleMessage({'a': 1}, 'LOANS')\n"
            "client = mona.AsyncClient()\n"
            "assert client.export(message) and asyncio.run(client.export_async(message))\n"
            "child = os.fork()\n"
            "assert client.export(message) and asyncio.run(client.export_async(message))\n"
            "client.enqueue([message])\n"
            "if child:\n"
            "    assert os.waitpid(child, 0)[1] == 0\n"
            "else:\n"
            "    del client\n"
            "    gc.collect()\n"
            "    mona.Client().close()\n"
        )
        self.assertEqual((said, len(support.messages())), ("", 8))

    def test_a_child_that_was_forked_while_a_loop_began_to_watch_does_so_too(self):
        said = python(
            "import asyncio, mona, os, signal, threading\n"
            "client = mona.Native()\n"
            "begins, forked = threading.Event(), threading.Event()\n"
            "async def call():\n"
            "    loop = asyncio.get_running_loop()\n"
            "    add_reader = loop.add_reader\n"
            "    loop.add_reader = lambda *a: (begins.set(), forked.wait(), add_reader(*a))\n"
            "    await client.export_async([])\n"
            "thread = threading.Thread(target=asyncio.run, args=(call(),))\n"
            "thread.start()\n"
            "begins.wait()\n"
            "child = os.fork()\n"
            "if child:\n"
            "    forked.set()\n"
            "    assert os.waitpid(child, 0)[1] == 0\n"
            "else:\n"
            "    signal.alarm(30)\n"
            "    asyncio.run(client.export_async([]))\n"
        )
        self.assertEqual(said, "")


if __name__ == "__main__":
    unittest.main()
