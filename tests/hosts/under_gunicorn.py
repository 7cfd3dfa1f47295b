#!/usr/bin/env python3
"""gunicorn --preload: its master makes a client and goes on using it, its workers serve with what they inherited and are replaced
after a few requests each. Run by tests/hosts/servers."""
import concurrent.futures
import http.client
import os
import socket
import tempfile
import time

from shared_client import FORKS, PATIENCE, Server, check

REQUESTS_OF_A_WORKER = 5


class Connection(http.client.HTTPConnection):
    """Over a socket that needs no free port."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def request(path):
    connection = Connection(path)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {body}")
    return int(body)


def wait_until_it_listens(server, path):
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path) and server.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def main():
    requests = FORKS * REQUESTS_OF_A_WORKER
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with Server(folder, "gunicorn", "--preload", "--config", "python:gunicorn_config", "--workers", "4", "--bind",
                    f"unix:{path}", "--max-requests", str(REQUESTS_OF_A_WORKER), "--graceful-timeout", str(PATIENCE),
                    "web_app:app") as server:
            wait_until_it_listens(server, path)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                workers = set(pool.map(request, [path] * requests))
    check(f"gunicorn with {len(workers)} workers", 2 + 2 * requests)


if __name__ == "__main__":
    main()
