"""What a child writes, read by threads of its own: nobody ever waits without end, or reads more than is allowed."""

import os
import threading
from contextlib import suppress
from queue import Empty, Queue
from typing import IO

from rnncheck.sandbox.patience import waits

__all__ = ["Lines", "Tail", "send"]

CHUNK = 2**16


class Reader:
    """A thread that reads a stream to its end and hands on every chunk."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Wait for the end of the stream and close it.

        Whoever escaped with its other end may keep it open. Then it is left alone: the number of a file that is
        closed soon belongs to another, and the thread would read from that.
        """
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._stream.close()

    def _read(self) -> None:
        with suppress(OSError):
            while chunk := os.read(self._stream.fileno(), CHUNK):
                self.take(chunk)
        self.end()

    def take(self, chunk: bytes) -> None:
        """Do something with the next bytes."""

    def end(self) -> None:
        """Do something at the end."""


class Lines(Reader):
    """The lines of a stream. A few are kept ready; a child that writes more must wait until they are read."""

    def __init__(self, stream: IO[bytes], most: int):
        self.most = most
        self.too_long = False
        self._parts: list[bytes] = []
        self._length = 0
        self._wanted = True
        self._queue: Queue[bytes | None] = Queue(maxsize=4)
        super().__init__(stream)

    def get(self, seconds: float) -> bytes | None:
        """Return the next line; None if the stream has ended, or the line is longer than `most` bytes.

        Raises
        ------
        TimeoutError
            If nothing of this happened in time.
        """
        for wait in waits(seconds):
            with suppress(Empty):
                return self._queue.get(timeout=wait)
        raise TimeoutError

    def close(self, seconds: float) -> None:
        """Let go of what nobody will read, and close the stream."""
        self._wanted = False
        while not self._queue.empty():  # the reader may wait for a place
            self._queue.get_nowait()
        super().close(seconds)

    def take(self, chunk: bytes) -> None:
        """Cut into lines. Of a line that is too long nothing is kept."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._add(piece)
            self._put(b"".join(self._parts))
            self._parts, self._length = [], 0
        self._add(rest)

    def end(self) -> None:
        """Hand on what came after the last line break, then None."""
        if self._length:
            self._put(b"".join(self._parts))
        self._put(None)

    def _add(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length <= self.most:
            self._parts.append(piece)
        elif not self.too_long:
            self.too_long = True
            self._parts = []
            self._put(None)

    def _put(self, line: bytes | None) -> None:
        if self._wanted:
            self._queue.put(line)


class Tail(Reader):
    """The last bytes of a stream."""

    def __init__(self, stream: IO[bytes], most: int):
        self.bytes = b""
        self._most = most
        super().__init__(stream)

    def take(self, chunk: bytes) -> None:
        """Keep the end."""
        self.bytes = (self.bytes + chunk)[-self._most :]


def send(stream: IO[bytes], line: bytes) -> threading.Thread:
    """Write in a thread of its own: a child that does not read makes its writer wait until it is ended."""

    def write() -> None:
        rest = memoryview(line)
        with suppress(OSError):  # the child has gone: its answer will not come either
            while rest:
                rest = rest[os.write(stream.fileno(), rest) :]

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread
