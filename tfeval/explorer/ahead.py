"""Work done while the reader looks, in pieces between the messages that a kernel answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

#: Seconds between two pieces, in which what the reader does comes first.
_BREATH = 0.02


class Ahead:
    """Pieces of work, done one after another once nothing was begun anew for a moment.

    They are done on the event loop that was running when the first work was begun: in a kernel
    that of its cells, so never while a cell runs. Where there is no loop nothing is done ahead.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, work: Iterator[None], pause: float) -> None:
        """Do `work` after `pause` seconds, in place of what was begun before."""
        self.end()
        if self._loop is None:
            with suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()
        if self._loop is not None:
            # JupyterLab moves widgets in a thread, and a loop, of their own.
            with suppress(RuntimeError):  # closed: the kernel ends
                self._loop.call_soon_threadsafe(self._wait, work, pause, self._turn)

    def end(self) -> None:
        """Begin no further piece."""
        self._turn += 1

    def _wait(self, work: Iterator[None], seconds: float, turn: int) -> None:
        if self._loop is not None and turn == self._turn:
            self._loop.call_later(seconds, self._go_on, work, turn)

    def _go_on(self, work: Iterator[None], turn: int) -> None:
        if turn == self._turn and next(work, self) is not self:
            self._wait(work, _BREATH, turn)
