"""Values that are kept: for as long as there is room for them, or as long as what they are of."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


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
