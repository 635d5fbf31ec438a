"""Loops that are compiled where a study is large, and run as plain Python where it is small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

#: Units from which compiling pays: below, the import of the compiler alone takes longer.
LARGE = 5_000
#: Threads for work that can be cut into parts.
THREADS = 2


@cache
def _machine_code(function: Callable) -> Callable:
    from numba import njit  # noqa: PLC0415

    # Kept beside the module or in the user's cache: the set-up step compiles, and no user waits.
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # There is nowhere to keep it: compiled anew by each process that needs it.
        return njit(nogil=True)(function)


def for_size(function: Callable, size: int) -> Callable:
    """Return a loop as it is for few units, compiled for many.

    Parameters
    ----------
    function : callable
        Arrays and numbers in, arrays and numbers out; calls no function of ours.
    size : int
        Units it will run over.
    """
    return _machine_code(function) if size >= LARGE else function


def in_parts(work: Callable[..., Any], parts: list[tuple], threads: bool = True) -> list[Any]:
    """Run the parts, on a few threads where there are several; return what each gives, in order."""
    if len(parts) == 1 or not threads:
        return [work(*part) for part in parts]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda part: work(*part), parts))


@contextmanager
def one_blas_thread(wanted: bool) -> Iterator[None]:
    """Keep the linear algebra to one thread, where our own threads share out the rows."""
    if not wanted:
        yield
        return
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        yield
