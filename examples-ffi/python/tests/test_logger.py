"""What libmona logs goes to Python's logging, if the environment says so."""

import os
import subprocess
import sys
import unittest

import support

SCRIPT = """
import logging
logging.basicConfig(format="<%(name)s %(levelname)s> %(message)s")
from mona import Client, MonaSingleMessage
client = Client(override_rest_api_host="127.0.0.1:1", queue={"linger_ms": 0, "back_off_first_ms": 1, "exit_timeout_ms": 200})
message = MonaSingleMessage({"a": 1}, "LOANS", "id-1")
"""

EXPORT = "client.export(message)"


def log(script, **variables):
    """Standard error of a program with these variables."""
    environment = {name: value for name, value in os.environ.items() if "LOGG" not in name}
    program = [sys.executable, "-c", SCRIPT + script]
    done = subprocess.run(program, env={**environment, **variables}, stderr=subprocess.PIPE, text=True, check=True)
    return done.stderr


class Logging(unittest.TestCase):
    def setUp(self):
        support.reset()

    def test_records_reach_the_handlers_of_their_logger(self):
        told = log(EXPORT, MONA_SDK_LOGGING_LEVEL="INFO")
        self.assertIn("<mona-logger ERROR> ", told)
        told = log(EXPORT, MONA_SDK_LOGGING_LEVEL="40", MONA_SDK_LOGGER_NAME="ours")
        self.assertIn("<ours ERROR> ", told)

    def test_only_the_wanted_levels_are_logged(self):
        for level in ({}, {"MONA_SDK_LOGGING_LEVEL": "CRITICAL"}, {"MONA_LOGGING_LEVEL": "nonsense"}):
            self.assertEqual(log(EXPORT, **level), "", level)

    def test_a_program_ends_well_while_libmona_logs(self):
        # A thread of libmona that came back into Python after its end would take the process with it.
        for _ in range(5):
            told = log("[client.enqueue([message]) for _ in range(50)]", MONA_SDK_LOGGING_LEVEL="DEBUG")
            self.assertNotIn("Fatal", told)


if __name__ == "__main__":
    unittest.main()
