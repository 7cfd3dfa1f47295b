"""mona_sdk's logger, for libmona's records too: off, unless the environment names a level when the package is imported."""

import logging
import os

from .native import forward_log


def _variable(name):
    return os.environ.get(f"MONA_SDK_{name}", os.environ.get(f"MONA_{name}"))


def get_logger():
    return logging.getLogger(_variable("LOGGER_NAME") or "mona-logger")


def _set_up(level):
    """``level`` is a number or a name; of any other, as of none, comes silence."""
    level = int(level) if level.isdecimal() else logging.getLevelName(level)
    if isinstance(level, int):
        get_logger().setLevel(level)
        forward_log(level)
    else:
        get_logger().setLevel(logging.CRITICAL + 1)


_set_up(_variable("LOGGING_LEVEL") or "")
