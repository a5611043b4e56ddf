"""The workers of a cluster that pass the self-test. Imports distributed when it connects."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ardm_compress.errors import ModelError, OptionError, UnsupportedError
from ardm_compress.tasks.cluster.fitness import installed, unfit

if TYPE_CHECKING:
    from distributed import Client

PATIENCE: Final = 60.0  # seconds without a worker after which that is an error
REACHED: Final = 5.0  # seconds in which a connection to a scheduler must be there
ANSWER: Final = 15.0  # seconds in which a scheduler must answer


@contextmanager
def connected(address: str, warn: Callable[[str], None], *, patience: float = PATIENCE) -> Iterator[Workers]:
    """Connect to a cluster of which at least one worker passes the self-test.

    Args:
        address: of the scheduler, such as ``tcp://host:8786``.
        warn: is told of each worker that is refused.
        patience: seconds to wait for a worker whenever there is none.

    Raises:
        UnsupportedError: Dask is not installed; OptionError: that is no address; OSError: nothing answers there, or
        there are no workers; ModelError: all of them are refused.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UnsupportedError(f"--scheduler needs Dask: pip install distributed fsspec ({error})") from error
    _check_listening(address)
    try:
        client = Client(address, timeout=ANSWER, set_as_default=False, name="ardm-compress")
    except OSError as error:
        raise OSError(f"no Dask scheduler answers at {address} within {ANSWER:.0f} s") from error
    with client:
        workers = Workers(client, warn, patience)
        workers.await_first()
        yield workers


def _check_listening(address: str) -> None:
    """Raise what ``connected`` does if there is nothing; a client would try for long, and for longer to be deleted."""
    from distributed.comm import get_address_host_port

    try:
        host, port = get_address_host_port(address)
    except ValueError as error:
        raise OptionError(f"{address} is no address of a scheduler, such as tcp://host:8786: {error}") from error
    try:
        socket.create_connection((host, port), timeout=REACHED).close()
    except OSError as error:
        raise OSError(f"nothing listens at {address}: {error.strerror or error}") from error


class Workers:
    """Those that may work; each that joins is tested first."""

    def __init__(self, client: Client, warn: Callable[[str], None], patience: float) -> None:
        self.client, self._warn, self._patience = client, warn, patience
        self._threads, self._refused = dict[str, int](), dict[str, str]()  # by address; why
        self._looked, self._seen = 0.0, time.monotonic()  # when, at any, and the last time that there was one

    @property
    def threads(self) -> int:
        """How many tasks they can be at."""
        return sum(self._threads.values())

    @property
    def addresses(self) -> frozenset[str]:
        """Where they are."""
        return frozenset(self._threads)

    def await_first(self) -> None:
        """Wait for one.

        Raises:
            ModelError: those that are there are all refused; others as ``look``.
        """
        while not self._threads:
            self.look()
            if not self._threads:
                self._check_refused()
                time.sleep(0.1)

    def look(self, after: float = 0.0) -> None:
        """Find out which there are, unless that was less than ``after`` seconds ago.

        Raises:
            OSError: there have been none for too long, or the scheduler does not answer; ModelError: and those that
            are there are all refused.
        """
        if time.monotonic() - self._looked < after:
            return
        there = self.client.nthreads()
        passed = self._tested([address for address in there if not self._knows(address)]) | self.addresses
        self._threads = {address: count for address, count in there.items() if address in passed}
        self._refused = {address: why for address, why in self._refused.items() if address in there}
        self._looked = time.monotonic()
        if self._threads:
            self._seen = self._looked
        elif self._looked - self._seen > self._patience:
            self._check_refused()
            raise TimeoutError(f"the cluster has had no workers for {self._patience:.0f} s")

    def _knows(self, address: str) -> bool:
        return address in self._threads or address in self._refused

    def _tested(self, addresses: list[str]) -> frozenset[str]:
        """Those that pass; the others are refused, but if they are gone already."""
        if not addresses:
            return frozenset()
        answers = self.client.run(unfit, installed(), workers=addresses, on_error="return")
        for address, answer in answers.items():
            if answer and not isinstance(answer, OSError):
                self._refused[address] = str(answer)
                self._warn(f"worker {address} is refused: {answer}")
        return frozenset(address for address, answer in answers.items() if answer == "")

    def _check_refused(self) -> None:
        if self._refused:
            why = "; ".join(sorted(set(self._refused.values())))
            raise ModelError(f"the cluster has no worker that can be used: {why}")
