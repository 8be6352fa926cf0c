"""Where the grammar's decisions come from."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


class Choices:
    """Decisions made by `below(n)`, a whole number from 0 up to n; 0 stands for the simplest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def pick(self, things: Sequence[Thing]) -> Thing:
        """Choose one, the first being the simplest."""
        return things[self.below(len(things))]

    def some(self, things: Sequence[Thing], most: int) -> list[Thing]:
        """Choose up to so many, with repetition."""
        return [self.pick(things) for _ in range(self.below(most + 1))]

    def chance(self, percent: int) -> bool:
        """Decide for what happens in so many of a hundred cases."""
        return self.below(100) >= 100 - percent
