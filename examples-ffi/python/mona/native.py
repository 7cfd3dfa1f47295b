"""libmona through ctypes, in a file that needs no other of this package.

Delivery and log events are taken and dropped. ``forward_log`` has log records come another way; ``stats`` counts deliveries.

ctypes lets other threads run while a C function does. Every call that waits is therefore safe to make in a thread, and
has a coroutine beside it for asyncio.
"""

import asyncio
import atexit
import contextlib
import ctypes
import itertools
import json
import logging
import math
import numbers
import os
import queue
import threading
import weakref
from ctypes import byref, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p

ABI_VERSION = 0
OK, TIMEOUT = 0, 2

_OUT = ctypes.POINTER(c_void_p)
_TAKE_RECORD = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_char_p, c_void_p)
_TAKE_NO_MORE = ctypes.CFUNCTYPE(None, c_void_p)
_MESSAGES = [c_void_p, c_char_p, c_int64, c_char_p]
_SERVICE = [c_void_p, c_char_p, c_char_p, c_int64, c_char_p]
_FUNCTIONS = {
    "mona_abi_version": (c_uint32, []),
    "mona_client_new": (c_int32, [c_char_p, _OUT, _OUT]),
    "mona_client_is_active": (c_int32, [c_void_p]),
    "mona_client_close": (c_int32, [c_void_p, c_int64, _OUT]),
    "mona_client_free": (None, [c_void_p]),
    "mona_export_json": (c_int32, [*_MESSAGES, _OUT]),
    "mona_service_call": (c_int32, [*_SERVICE, _OUT]),
    "mona_enqueue_json": (c_int32, [*_MESSAGES, _OUT]),
    "mona_flush": (c_int32, [c_void_p, c_int64, _OUT]),
    "mona_stats_json": (c_int32, [c_void_p, _OUT]),
    "mona_export_json_async": (c_int32, [*_MESSAGES, c_uint64, _OUT]),
    "mona_service_call_async": (c_int32, [*_SERVICE, c_uint64, _OUT]),
    "mona_poll": (c_int32, [c_void_p, c_int64, ctypes.POINTER(c_uint64), _OUT]),
    "mona_event_fd": (c_int32, [c_void_p]),
    "mona_set_log_callback": (c_int32, [_TAKE_RECORD, c_void_p, _TAKE_NO_MORE, c_int32]),
    "mona_string_free": (None, [c_void_p]),
    "mona_before_fork": (c_int32, []),
    "mona_after_fork_parent": (c_int32, []),
    "mona_after_fork_child": (c_int32, []),
}


def _load():
    """The library that MONA_LIBRARY names, or else the system's."""
    library = ctypes.CDLL(os.environ.get("MONA_LIBRARY") or "libmona.so.0")
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.mona_abi_version() != ABI_VERSION:
        raise ImportError(f"libmona's ABI is {library.mona_abi_version()}, not {ABI_VERSION}")
    return library


_LIBRARY = _load()


class MonaException(Exception):
    """A call that failed: ``status`` (a negative number), ``kind`` (a stable word), ``retriable`` and the whole ``document``."""

    def __init__(self, status, document):
        super().__init__(document.get("error_message"))
        self.status = status
        self.document = document
        self.kind = document.get("error_kind")
        self.retriable = document.get("retriable")

    def __reduce__(self):
        return type(self), (self.status, self.document)


class MonaInvalidArgumentException(MonaException, ValueError):
    """The caller's mistake: nothing was sent."""


class MonaInitializationException(MonaException):
    """The client cannot be made from this configuration."""


class MonaAuthenticationException(MonaException):
    """A login failed, and ``raise_authentication_exceptions`` is true."""


class MonaExportException(MonaException):
    """An export failed, and ``raise_export_exceptions`` is true."""


class MonaServiceException(MonaException):
    """A service failed, and ``raise_service_exceptions`` is true."""


class MonaQueueFullException(MonaException):
    """There is no room for these messages: none was accepted."""


class MonaClosedException(MonaException):
    """The client is closed."""


class MonaInternalException(MonaException):
    """A bug in libmona."""


_BY_STATUS = {
    -1: MonaInvalidArgumentException,
    -2: MonaInitializationException,
    -3: MonaAuthenticationException,
    -4: MonaExportException,
    -5: MonaServiceException,
    -6: MonaQueueFullException,
    -7: MonaClosedException,
    -8: MonaInternalException,
}


class Document(dict):
    """What a call returned, or an event, which has its status inside. ``json`` is the text: numbers there have all their digits."""

    __slots__ = ("status", "json")

    def __init__(self, status, text):
        super().__init__(json.loads(text))
        self.status = self["status"] if status is None else status
        self.json = text


def _take(out):
    """The text that libmona gave away, which is freed."""
    try:
        return ctypes.string_at(out.value).decode()
    finally:
        _LIBRARY.mona_string_free(out)


def _checked(document):
    if document.status < 0:
        raise _BY_STATUS.get(document.status, MonaInternalException)(document.status, document)
    return document


def _call(function, *arguments):
    """Calls a function whose last argument is ``out_json``."""
    out = c_void_p()
    status = function(*arguments, byref(out))
    return _checked(Document(status, _take(out)))


def _settle(future, text):
    """Hands an event to the one who waits, unless he was cancelled."""
    if future.done():
        return
    try:
        future.set_result(Document(None, text))
    except (RecursionError, ValueError) as error:
        # Python reads no JSON that is too deep, no number that is too long.
        future.set_exception(error)


def _json(value):
    """JSON as libmona takes it; what is text already stays as it is."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        value = json.dumps(value, allow_nan=False)
    return value.encode("utf-8", "surrogatepass")


def _text(name, value):
    """JSON, or a name, as text for C, which would end it at a NUL."""
    text = _json(value)
    if b"\0" in text:
        raise ValueError(f"{name} must not contain NUL")
    return text


def _options(options):
    return _text("options", options) if options else None


_MOST_SECONDS = (2**63 - 1) // 1000


def _milliseconds(timeout):
    """For C, to which a negative time has no end; here only None and infinity have none."""
    if timeout is None:
        return -1
    if not isinstance(timeout, numbers.Number):
        raise TypeError(f"timeout must be seconds or None, not {timeout!r}")
    if timeout != timeout:
        raise ValueError("timeout must be seconds or None, not NaN")
    if timeout == math.inf:
        return -1
    return int(max(0, min(timeout, _MOST_SECONDS)) * 1000)


@_TAKE_RECORD
def _take_record(level, logger, message, _):
    logging.getLogger(logger.decode()).log(level, "%s", message.decode())


# One for each forward_log whose last record has been taken.
_silent = threading.Semaphore(0)


@_TAKE_NO_MORE
def _take_no_more(_):
    _silent.release()


def forward_log(level):
    """Has Python's ``logging`` take libmona's records of this level and higher, by the logger's name, instead of standard error."""
    _LIBRARY.mona_set_log_callback(_take_record, None, _take_no_more, level)
    atexit.register(_forward_no_log)


def _forward_no_log():
    """Before Python goes down: a thread of libmona that asked for it then would be ended in the middle of its work."""
    _LIBRARY.mona_set_log_callback(_TAKE_RECORD(), None, _TAKE_NO_MORE(), 0)
    _silent.acquire(timeout=1)


_tags = itertools.count(1)

# Freeing a client may take a moment, since it delivers what is still enqueued. The garbage collector must not wait for that, so a
# thread frees. SimpleQueue.put is the one way to hand something to a thread that the collector may use.
_collected = queue.SimpleQueue()
_reaper = None


# Those that a forked child has to do something about.
_natives = weakref.WeakSet()


def _collect(address):
    _collected.put(address)


def _reap():
    while True:
        address = _collected.get()
        _LIBRARY.mona_client_free(address)


def _start_reaper():
    global _reaper
    if _reaper is None:
        reaper = threading.Thread(target=_reap, name="mona-reaper", daemon=True)
        reaper.start()
        _reaper = reaper


def _forked():
    """A child has none of its parent's threads: its first new client starts its own."""
    global _reaper, _collected
    _reaper, _collected = None, queue.SimpleQueue()
    for native in _natives:
        native._forget_loops()
    _LIBRARY.mona_after_fork_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_LIBRARY.mona_before_fork,
        after_in_parent=_LIBRARY.mona_after_fork_parent,
        after_in_child=_forked,
    )


class Native:
    """A ``mona_client``: messages, arguments and options (Python values or JSON text) in, Documents out.

    Raises on negative statuses; a Document's ``success`` tells of failures that the client is configured not to raise.
    """

    def __init__(self, config=None):
        client, out = c_void_p(), c_void_p()
        status = _LIBRARY.mona_client_new(_text("config", config or {}), byref(client), byref(out))
        self.document = _checked(Document(status, _take(out)))
        self._client = client
        # Freed when nobody can call it any more, never earlier: another thread may be inside a call.
        # At the end of the program libmona itself delivers what is enqueued.
        weakref.finalize(self, _collect, client.value).atexit = False
        self._waiting = {}
        self._forget_loops()
        _natives.add(self)
        _start_reaper()

    def __reduce__(self):
        """A copy would go on with a client that was freed with the original."""
        raise TypeError("a client of libmona can be neither copied nor pickled")

    def is_active(self):
        return _LIBRARY.mona_client_is_active(self._client) == 1

    def export(self, messages, options=None):
        """Sends messages and waits for the answer."""
        messages, options = _json(messages), _options(options)
        return _call(_LIBRARY.mona_export_json, self._client, messages, len(messages), options)

    def service(self, name, arguments=None, options=None):
        """Calls a service (docs/services.md) and waits for the answer."""
        name, arguments, options = _text("service", name), _json(arguments or {}), _options(options)
        function = _LIBRARY.mona_service_call
        return _call(function, self._client, name, arguments, len(arguments), options)

    def enqueue(self, messages, options=None):
        """Accepts messages and returns at once; libmona delivers them."""
        messages, options = _json(messages), _options(options)
        return _call(_LIBRARY.mona_enqueue_json, self._client, messages, len(messages), options)

    async def export_async(self, messages, options=None):
        """``export`` for asyncio: the loop goes on meanwhile."""
        messages, options = _json(messages), _options(options)
        function = _LIBRARY.mona_export_json_async
        return await self._event(function, messages, len(messages), options)

    async def service_async(self, name, arguments=None, options=None):
        """``service`` for asyncio: the loop goes on meanwhile."""
        name, arguments, options = _text("service", name), _json(arguments or {}), _options(options)
        function = _LIBRARY.mona_service_call_async
        return await self._event(function, name, arguments, len(arguments), options)

    async def _event(self, function, *arguments):
        """Starts a call, and waits for the event that tells of its end."""
        loop = asyncio.get_running_loop()
        tag, future = next(_tags), loop.create_future()
        self._watch(loop)
        unwatch = self._unwatch
        try:
            self._waiting[tag] = loop, future
            try:
                _call(function, self._client, *arguments, tag)
            except MonaQueueFullException:
                # The ends of cancelled calls take up room until they are collected, and no loop may have watched.
                self._collect()
                _call(function, self._client, *arguments, tag)
            return _checked(await future)
        except GeneratorExit:
            # By the garbage collector: on any thread, and in the middle of anything.
            unwatch = self._unwatch_later
            raise
        finally:
            self._waiting.pop(tag, None)
            unwatch(loop)

    def _forget_loops(self):
        """No loop watches: a forked child has a descriptor of its own."""
        self._loops = {}

    def _forget_closed_loops(self):
        """What was to be done in them later never will be."""
        for loop in list(self._loops):
            if loop.is_closed():
                self._loops.pop(loop, None)

    def _watch(self, loop):
        """A loop watches the descriptor while it has calls under way, and no longer: it may end before the client does.

        Only the loop's own thread comes here, and to ``_unwatch``: no lock is needed, which the garbage collector could find held.
        """
        descriptor, calls = self._loops.get(loop, (None, 0))
        if calls == 0:
            self._forget_closed_loops()
            descriptor = _LIBRARY.mona_event_fd(self._client)
            loop.add_reader(descriptor, self._collect)
        self._loops[loop] = descriptor, calls + 1

    def _unwatch(self, loop):
        descriptor, calls = self._loops.pop(loop, (None, 0))
        if calls > 1:
            self._loops[loop] = descriptor, calls - 1
        elif calls == 1:
            loop.remove_reader(descriptor)

    def _unwatch_later(self, loop):
        """Without libmona: a coroutine that the garbage collector ends may outlive the client, if both are garbage."""
        try:
            loop.call_soon_threadsafe(self._unwatch, loop)
        except RuntimeError:
            # The loop is closed.
            self._loops.pop(loop, None)

    def _collect(self):
        """Takes the events that are there, whichever loop they are for."""
        tag, out = c_uint64(), c_void_p()
        while True:
            status = _LIBRARY.mona_poll(self._client, 0, byref(tag), byref(out))
            text = _take(out)
            if status != OK:
                return
            # With the entry goes all that a loop leaves behind that was closed in the meantime.
            loop, future = self._waiting.pop(tag.value, (None, None))
            if loop is not None:
                # In a closed loop nobody waits.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_settle, future, text)

    def flush(self, timeout=None):
        """Waits until what was enqueued is settled; False when the time (in seconds) was up first. None has no end."""
        document = _call(_LIBRARY.mona_flush, self._client, _milliseconds(timeout))
        return document.status != TIMEOUT

    def close(self, timeout=10):
        """Delivers what is enqueued and takes nothing more; the Document tells what was left."""
        return _call(_LIBRARY.mona_client_close, self._client, _milliseconds(timeout))

    def stats(self):
        """How the background delivery is going: docs/statistics.md."""
        return _call(_LIBRARY.mona_stats_json, self._client)
