"""Settings as the words of a command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.model.pool import AS_IS, PoolConfig

_UNLIMITED = -1


def option_words(options: Mapping[str, object]) -> Iterator[str]:
    """Options as words, without those that are None or False; True is an option without a value."""
    for name, value in options.items():
        if value is not None and value is not False:
            yield "--" + name.replace("_", "-")
            yield from [] if value is True else [str(value)]


def pool_text(pool: PoolConfig) -> str:
    """A pool as `--pool` takes it: `20+0`, `small:20+0`, `as-is,pool_size=20`."""
    named = pool.named
    if named.keys() == {"pool_size", "max_overflow"}:
        overflow = "inf" if pool.max_overflow == _UNLIMITED else pool.max_overflow
        text = f"{pool.pool_size}+{overflow}"
    else:
        given = (f"{name}={value_text(value)}" for name, value in named.items() if value != AS_IS)
        text = ",".join([*([AS_IS] if AS_IS in named.values() else []), *given])
    own_name = PoolConfig(**named).of_application().name
    return text if own_name == pool.name else f"{pool.name}:{text}"


def value_text(value: object) -> str:
    """A value as options and TOML write it: `true`, `20`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
