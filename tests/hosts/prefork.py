#!/usr/bin/env python3
"""Python forks with a client in use: os.fork from threads, and multiprocessing with the start method "fork". Every message
arrives once. Runs beside a sandbox: scripts/with-sandbox tests/hosts/prefork.py; MONA_TEST_FORKS is how many children. With
MONA_SANDBOX_TLS, forks happen during look-ups of names and handshakes, too."""
import ctypes
import json
import multiprocessing
import os
import queue
import signal
import sys
import threading
import urllib.request
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
LIBRARY = ctypes.CDLL(os.environ.get("MONA_LIBRARY", os.path.join(TARGET, "release", "libmona.so")))
MESSAGE = json.dumps({"message": {"a": 1}, "contextClass": "C"}).encode()
PATIENCE = 60
ONE_AT_A_TIME = threading.Lock()

LIBRARY.mona_export_json.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p]
LIBRARY.mona_enqueue_json.argtypes = LIBRARY.mona_export_json.argtypes
LIBRARY.mona_flush.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
LIBRARY.mona_client_free.argtypes = [ctypes.c_void_p]
LIBRARY.mona_client_free.restype = None


def check(status):
    if status != 0:
        raise RuntimeError(f"status {status}")


class Client:
    def __init__(self, config):
        handle = ctypes.c_void_p()
        check(LIBRARY.mona_client_new(json.dumps(config).encode(), ctypes.byref(handle), None))
        self.handle = handle

    def export(self):
        check(LIBRARY.mona_export_json(self.handle, MESSAGE, -1, None, None))

    def enqueue(self):
        check(LIBRARY.mona_enqueue_json(self.handle, MESSAGE, -1, None, None))

    def flush(self):
        check(LIBRARY.mona_flush(self.handle, -1, None))

    def free(self):
        LIBRARY.mona_client_free(self.handle)


def deliver_and_return(client):
    client.export()
    client.enqueue()
    client.flush()


def free_and_exit(client):
    client.export()
    client.enqueue()
    client.free()
    sys.exit(0)


def quit_at_once(client):
    client.export()
    client.export()
    os._exit(0)


def be_killed(client):
    client.export()
    client.export()
    os.kill(os.getpid(), signal.SIGKILL)


def fork_again(client):
    client.export()
    pid = os.fork()
    if pid == 0:
        client.enqueue()
        client.flush()
        os._exit(0)
    wait_for(pid)


WAYS = [deliver_and_return, free_and_exit, quit_at_once, be_killed, fork_again]


def wait_for(pid):
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a child ended with {code}")


def fork_plainly(client, way):
    pid = os.fork()
    if pid != 0:
        return wait_for(pid)
    signal.alarm(PATIENCE)  # a child that hangs dies of it, and the test fails
    try:
        way(client)
    except SystemExit:
        pass
    except BaseException as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)


def fork_by_multiprocessing(client, way):
    with ONE_AT_A_TIME:  # starting a process reaps those of other threads
        process = multiprocessing.get_context("fork").Process(target=way, args=(client,))
        process.start()
        process.join(PATIENCE)
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a process ended with {process.exitcode}")


def messages():
    with urllib.request.urlopen(os.environ["MONA_SANDBOX_URL"] + "/sandbox/health") as answer:
        return json.load(answer)["messages"]


class Work:
    """Threads that send while others fork; the first failure of any of them is raised at the end."""

    def __init__(self, client, forks):
        self.client, self.sent, self.stop, self.failure = client, 0, False, None
        self.lock = threading.Lock()
        self.numbers = queue.Queue()
        for number in range(forks):
            self.numbers.put(number)

    def send(self):
        while not self.stop:
            self.client.export()
            self.client.enqueue()
            with self.lock:
                self.sent += 2

    def fork(self):
        while True:
            try:
                number = self.numbers.get_nowait()
            except queue.Empty:
                return
            fork = fork_by_multiprocessing if number % 2 else fork_plainly
            fork(self.client, WAYS[number // 2 % len(WAYS)])

    def guarded(self, run):
        try:
            run()
        except BaseException as error:
            self.failure = self.failure or error

    def run(self):
        start = lambda run: threading.Thread(target=self.guarded, args=(run,))
        sending, forking = [start(self.send) for _ in range(2)], [start(self.fork) for _ in range(3)]
        for thread in sending + forking:
            thread.start()
        for thread in forking:
            thread.join()
        self.stop = True
        for thread in sending:
            thread.join()
        if self.failure is not None:
            raise self.failure


def main():
    warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks with threads
    forks = int(os.environ.get("MONA_TEST_FORKS", "60"))
    before = messages()
    client = Client({"queue": {"linger_ms": 0}})
    work = Work(client, forks)
    work.run()
    client.flush()
    arrived, wanted = messages() - before, work.sent + 2 * forks
    client.free()
    if arrived != wanted:
        sys.exit(f"{arrived} messages arrived, {wanted} were sent")
    print(f"{forks} children, {arrived} messages")


if __name__ == "__main__":
    main()
