"""A client that a server's parent process makes before it forks, and what it has to account for."""
import json
import os
import signal
import subprocess
import sys
import urllib.request

from mona import Client, MonaSingleMessage

PATIENCE = 60
FORKS = int(os.environ.get("MONA_TEST_FORKS", "20"))
MESSAGE = MonaSingleMessage({"a": 1}, "C")


def new_client():
    """Makes a client and sends two messages with it, so that children inherit one in full use."""
    client = Client(raise_export_exceptions=True)
    send_both_ways(client)
    return client


def send_both_ways(client):
    client.export(MESSAGE)
    client.enqueue([MESSAGE])


def arrived():
    with urllib.request.urlopen(os.environ["MONA_SANDBOX_URL"] + "/sandbox/health") as answer:
        return json.load(answer)["messages"]


class Server:
    """A server's program, which ends with the block; its log is shown when something went wrong."""

    def __init__(self, folder, *command):
        self.log = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen([sys.executable, "-m", *command], stdout=self.log, stderr=subprocess.STDOUT, cwd=folder,
                                        env={**os.environ, "HOME": folder})

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "no end at all"
        self.log.seek(0)
        if failure or code != 0:
            sys.stderr.write(self.log.read())
        self.log.close()
        if code != 0 and not failure:
            sys.exit(f"the server ended with {code}")


def check(name, wanted):
    got = arrived()
    if got != wanted:
        sys.exit(f"{name}: {got} messages arrived, {wanted} were sent")
    print(f"{name}: {got} messages")
