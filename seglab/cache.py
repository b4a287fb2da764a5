"""Values that are kept: for as long as there is room for them, or as long as what they are of."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")
SETTLED = 2.0  # seconds after a change from which on the next one is sure to give a file another date


class Cache(Generic[Value]):
    """Values by key, at most `most` bytes of them together: the least recently used go, the newest stays in any case.

    `size` gives a value's bytes. Threads may share one; two that miss the same value at once both make it.
    """

    def __init__(self, most: int, size: Callable[[Value], int]):
        self.most, self.size = most, size
        self.values: OrderedDict[Hashable, Value] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value kept under a key; made where there is none."""
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
                return self.values[key]
        value = make()  # without the lock: others need not wait for it
        with self.lock:
            self.values[key] = value
            self.values.move_to_end(key)
            while len(self.values) > 1 and sum(map(self.size, self.values.values())) > self.most:
                self.values.popitem(last=False)
        return value


class Kept:
    """Values by key, each made once and kept for good: of many threads that ask for one at once, one makes it. Those
    that ask for others do not wait. What is made may ask for others, as long as none asks for itself in the end."""

    def __init__(self) -> None:
        self.values: dict[Hashable, Any] = {}
        self.locks: dict[Hashable, threading.RLock] = {}
        self.lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self.lock:
            if key in self.values:
                return self.values[key]
            own = self.locks.setdefault(key, threading.RLock())
        with own:
            if key not in self.values:
                self.values[key] = make()
            return self.values[key]


class Files(Generic[Value]):
    """What files hold, each read once for as long as it stays as it is: of at most `most` bytes of files together.

    One that was changed just now is read each time: the next change might give it the same date.
    """

    def __init__(self, read: Callable[[Path], Value], most: int):
        self.read = read
        self.known: Cache[tuple[int, Value]] = Cache(most, lambda each: each[0])

    def get(self, path: Path) -> Value:
        """What is in a file; raises OSError where there is none, and whatever reading it raises."""
        found = path.stat()
        if time.time() - found.st_mtime < SETTLED:
            return self.read(path)
        key = path, found.st_ino, found.st_mtime_ns, found.st_size
        return self.known.get(key, lambda: (found.st_size, self.read(path)))[1]


class once(Generic[Value]):
    """A property that is made when it is first asked for, and kept in the instance.

    As functools.cached_property, which before Python 3.12 holds one lock for all instances of a class: whoever asked
    for one would wait for another that takes long. Two threads that ask the same instance at once both make it.
    """

    def __init__(self, make: Callable[[Any], Value]):
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> once[Value] | Value:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.make(instance)  # hides this descriptor from now on
        return value
