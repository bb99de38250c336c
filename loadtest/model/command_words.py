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
    text = settings_text(pool.named)
    own_name = PoolConfig(**pool.named).of_application().name
    return text if own_name == pool.name else f"{pool.name}:{text}"


def settings_text(named: Mapping[str, object]) -> str:
    """The settings of a pool by name as `--pool` takes them, without the pool's name."""
    if named.keys() == {"pool_size", "max_overflow"}:
        most = "inf" if named["max_overflow"] == _UNLIMITED else named["max_overflow"]
        return f"{named['pool_size']}+{most}"
    given = (f"{name}={value_text(value)}" for name, value in named.items() if value != AS_IS)
    return ",".join([*([AS_IS] if AS_IS in named.values() else []), *given])


def value_text(value: object) -> str:
    """A value as options and TOML write it: `true`, `20`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
