"""The default random generator: seeding it, keeping and restoring its state."""

from __future__ import annotations

from rushlight._C import Generator, Tensor, default_generator


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, so that what follows repeats; negative seeds count from 2**64.

    >>> import rushlight
    >>> _ = rushlight.manual_seed(0)
    >>> rushlight.randn(2)
    tensor([ 1.5410, -0.2934])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator with a number that nobody knows; returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was last given."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Restore a state that `get_rng_state` gave. Raises RuntimeError where it is none."""
    default_generator.set_state(new_state)
