"""The listener: uvicorn in a thread of this process, on 127.0.0.1 alone."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import socket
from collections.abc import Callable, Coroutine
from threading import Event, Thread
from typing import Any

from esm.clock import monotonic_s
from esm.errors import EndpointError
from esm.sources.kinesis_wire import INCARNATION_HEADER

HOST = "127.0.0.1"
_KEEP_ALIVE_S = 600  # clients of slow polls keep their connections
_PATIENCE_S = 1  # for what is in flight when the server stops


class Server:
    """Serves an ASGI application from `start` to `stop`.

    `beside` runs in the same thread; every answer tells the `incarnation`.
    """

    def __init__(
        self, app: Any, beside: Callable[[], Coroutine[None, None, None]], incarnation: str
    ) -> None:
        self._app = app
        self._beside = beside
        self._incarnation = incarnation
        self._uvicorn: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def start(self, port: int) -> int:
        """Listen; gives the port, a free one for 0. Raises EndpointError E535 for a taken one."""
        uvicorn = _uvicorn()
        listener = _listener(port)
        config = uvicorn.Config(
            self._app,
            http="httptools" if importlib.util.find_spec("httptools") else "h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[(INCARNATION_HEADER, self._incarnation)],
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_PATIENCE_S,
        )
        self._uvicorn = uvicorn.Server(config)
        ready = Event()
        serving = self._serve(listener, ready)
        self._thread = Thread(target=_run, args=(serving,), name="esm-http", daemon=True)
        self._thread.start()
        ready.wait()
        bound: int = listener.getsockname()[1]
        return bound

    def stop(self, before: Callable[[], None]) -> None:
        """Answer what is in flight, end the rest and free the port.

        `before` is called first, in the listener's thread. Once more does nothing.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        assert self._loop is not None
        self._loop.call_soon_threadsafe(before)
        self._uvicorn.should_exit = True
        thread.join()

    async def _serve(self, listener: socket.socket, ready: Event) -> None:
        self._loop = asyncio.get_running_loop()
        ready.set()
        beside = asyncio.create_task(self._beside())
        await self._uvicorn.serve(sockets=[listener])
        beside.cancel()


class _RealTimeLoop(asyncio.SelectorEventLoop):
    """Whoever freezes time in this process does not freeze the server."""

    def time(self) -> float:
        """Seconds."""
        return monotonic_s()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_RealTimeLoop) as runner:
        runner.run(serving)


def _listener(port: int) -> socket.socket:
    """A socket that takes connections at once, also while the server is still to start."""
    # asyncio sets TCP_NODELAY only where the protocol is told; without it answers take 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise EndpointError(
            "E535",
            f"port {port} of {HOST} is taken",
            why="another program listens there, perhaps another esm serve",
            fix="--port 0   # any that is free",
        ) from None
    listener.listen(socket.SOMAXCONN)
    return listener


def _uvicorn() -> Any:
    missing = [name for name in ("uvicorn", "moto", "flask") if not importlib.util.find_spec(name)]
    if missing:
        raise EndpointError(
            "E536",
            f"the embedded AWS needs {' and '.join(missing)}",
            why="not installed here",
            fix='pip install "lambda-esm[run]"',
        )
    import uvicorn

    return uvicorn
