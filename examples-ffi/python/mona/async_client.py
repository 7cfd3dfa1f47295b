"""mona_sdk's AsyncClient over libmona: each method of Client with ``_async`` after its name is a coroutine.

mona_sdk runs each in a thread of an executor. Here libmona does the waiting, and the event loop is told when the answer is there; a
method that is given an ``executor``, or a client that has one, still runs there. ``event_loop`` is the loop that awaits, as in mona_sdk.
"""

import asyncio
import functools
import inspect

from .client import Client, Methods, _messages_json, _result


class _Awaited(Methods):
    """The same calls, made as coroutines."""

    def __init__(self, native):
        self._native = native

    async def _export(self, messages, options, result):
        return result(await self._native.export_async(_messages_json(messages), options))

    async def _service(self, name, arguments):
        return _result(await self._native.service_async(name, arguments))


def _coroutine(name, method):
    @functools.wraps(method)
    async def call(self, *args, event_loop=None, executor=None, **kwargs):
        executor = executor or self._executor
        if executor is None and name in vars(Methods):
            return await getattr(_Awaited(self._native), name)(*args, **kwargs)
        loop = event_loop or self._event_loop or asyncio.get_running_loop()
        act = functools.partial(method, self, *args, **kwargs)
        return await loop.run_in_executor(executor, act)

    call.__name__ += "_async"
    call.__qualname__ = f"AsyncClient.{call.__name__}"
    return call


class AsyncClient(Client):
    """Client, and beside each of its methods one for asyncio."""

    def __init__(self, *args, event_loop=None, executor=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._event_loop = event_loop
        self._executor = executor

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close_async()


for _name, _method in inspect.getmembers(Client, inspect.isfunction):
    if not _name.startswith("_"):
        setattr(AsyncClient, f"{_name}_async", _coroutine(_name, _method))
