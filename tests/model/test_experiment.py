"""Configuration is strict: all mistakes at once, each with its key, none put right silently."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment, read_experiment
from loadtest.model.fault import parse_fault
from loadtest.model.field_types import parse_duration, validated
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig, parse_pool

ROOT = Path(__file__).resolve().parents[2]
SOUND = """
name = "hot-row"
scenario = "hot_row.py"
[load]
users = 300
duration = "5s"
[[pool]]
name = "default"
[[pool]]
pool_size = 20
max_overflow = 0
"""


@pytest.fixture
def written(tmp_path):
    """Writes an experiment's file beside its scenario."""

    def write(text: str) -> Path:
        (tmp_path / "hot_row.py").touch()
        path = tmp_path / "hot_row.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(call, *arguments) -> list[str]:
    """What a UsageError lists, one problem a line."""
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return list(caught.value.problems)


# ---- Pools


@pytest.mark.parametrize(
    ("text", "name", "size", "overflow"),
    [
        ("20+0", "20+0", 20, 0),
        ("0+0", "0+0", 0, 0),
        ("3000+inf", "3000+inf", 3000, -1),
        ("small:20+5", "small", 20, 5),
        ("poolclass=FairPool,pool_size=20,max_overflow=5", "fair-20+5", 20, 5),
        ("seed:3000+inf", "seed", 3000, -1),
        ("pool_size=20,max_overflow=0", "20+0", 20, 0),
        ("pool_size=20,max_overflow=-1", "20+inf", 20, -1),
        (" pool_size = 20 , max_overflow = 0 ", "20+0", 20, 0),
        ("pool_size=20", "20+10", 20, 10),
        ("max_overflow=3", "5+3", 5, 3),
        ("pool_timeout=2", "5+10", 5, 10),
        ("name=mine,pool_size=1", "mine", 1, 10),
        ("a.b_c-d+1:20+0", "a.b_c-d+1", 20, 0),
        ("Small:20+0", "Small", 20, 0),
        ("größer:20+0", "größer", 20, 0),
        ("大きい:20+0", "大きい", 20, 0),
        ("छोटा:20+0", "छोटा", 20, 0),
    ],
)
def test_a_pool_on_the_command_line(text, name, size, overflow):
    pool = parse_pool(text)
    assert (pool.name, pool.pool_size, pool.max_overflow) == (name, size, overflow)


def test_every_setting_can_be_written_on_the_command_line():
    pool = parse_pool(
        "all:poolclass=QueuePool,pool_size=7,max_overflow=3,pool_timeout=500ms,pool_recycle=60,"
        "pool_pre_ping=true,pool_use_lifo=true,pool_reset_on_return=commit,"
        "isolation_level=READ COMMITTED"
    )
    assert pool.model_dump() == {
        "name": "all",
        "poolclass": "QueuePool",
        "pool_size": 7,
        "max_overflow": 3,
        "pool_timeout": 0.5,
        "pool_recycle": 60,
        "pool_pre_ping": True,
        "pool_use_lifo": True,
        "pool_reset_on_return": "commit",
        "isolation_level": "READ COMMITTED",
    }


def test_without_a_word_the_pool_is_sqlalchemys_default():
    assert PoolConfig() == parse_pool("5+10")
    assert PoolConfig().name == "5+10"


@given(st.integers(0, 10**6), st.integers(-1, 10**6))
def test_a_pool_without_a_name_is_called_by_its_short_form(size, overflow):
    name = PoolConfig(pool_size=size, max_overflow=overflow).name
    assert (parse_pool(name).pool_size, parse_pool(name).max_overflow) == (size, overflow)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is not a setting"]),
        ("small:", ["is not a setting"]),
        ("20", ["'20' is not a setting", "20+0"]),
        ("20+", ["'20+' is not a setting"]),
        ("20+-1", ["'20+-1' is not a setting"]),
        ("20+0,pool_timeout=2", ["'20+0' is not a setting", "on its own"]),
        ("pool_size=20,", ["'' is not a setting"]),
        ("a:b:20+0", ["'b:20+0' is not a setting"]),
        ("pool_size=1,pool_size=2", ["pool_size is given twice"]),
        ("small:name=big,pool_size=1", ["name is given twice"]),
        (":20+0", ["name", "''"]),
        ("\u0301a:20+0", ["name", "is not a name"]),
        ("my pool:20+0", ["name", "'my pool'"]),
        ("pool_size=-1", ["pool_size", "must be at least 0", "'-1'"]),
        ("pool_size=many", ["pool_size", "'many'"]),
        ("max_overflow=-2", ["max_overflow", "must be at least -1"]),
        ("max_overflow=inf", ["max_overflow", "'inf'"]),
        ("pool_timeout=soon", ["pool_timeout", "'soon' is not a duration", "30s"]),
        ("pool_timeout=-1", ["pool_timeout"]),
        ("pool_recycle=30m", ["pool_recycle"]),
        ("pool_pre_ping=perhaps", ["pool_pre_ping"]),
        ("pool_reset_on_return=nothing", ["pool_reset_on_return", "'none'"]),
        ("isolation_level=SNAPSHOT", ["isolation_level", "'SERIALIZABLE'"]),
        ("size=20", ["size: unknown key", "pool_size"]),
        ("poolclass=FasterPool", ["poolclass", "unknown pool class 'FasterPool'", "QueuePool"]),
        ("poolclass=queuepool", ["unknown pool class 'queuepool'"]),
    ],
)
def test_a_mistake_in_a_pool_is_one_line_with_the_text_and_the_key(text, words):
    (problem,) = problems_of(parse_pool, text)
    assert problem.startswith(f"--pool {text}: ")
    assert [word for word in words if word not in problem] == []


def test_all_mistakes_of_a_pool_are_listed_at_once():
    problems = problems_of(parse_pool, "*:pool_size=many,max_overflow=-2,pool_timeout=?,size=3")
    keys = [problem.removeprefix("--pool *:pool_size=many,").split(": ")[1] for problem in problems]
    assert keys == ["name", "pool_size", "max_overflow", "pool_timeout", "size"]


@pytest.mark.parametrize("name", ["StaticPool", "SingletonThreadPool", "AssertionPool"])
def test_pools_that_are_not_for_many_users_are_refused_by_name(name):
    (problem,) = problems_of(parse_pool, f"poolclass={name}")
    assert f"{name} does not support many users" in problem
    assert "QueuePool, NullPool or FairPool" in problem


def test_no_pool_is_a_pool_too():
    pool = parse_pool("poolclass=NullPool,pool_pre_ping=true")
    assert pool.name == "nullpool"
    assert pool.most_connections is None
    assert pool.kept_connections == 0
    assert pool.connections_for(70) == 70
    assert pool.arguments().keys() == {
        "poolclass",
        "pool_recycle",
        "pool_pre_ping",
        "pool_reset_on_return",
        "isolation_level",
    }


@pytest.mark.parametrize(
    "setting", ["pool_size=5", "max_overflow=0", "pool_timeout=1", "pool_use_lifo=true"]
)
def test_what_only_a_queue_has_does_not_go_with_no_pool(setting):
    (problem,) = problems_of(parse_pool, f"poolclass=NullPool,{setting}")
    assert setting.split("=")[0] in problem
    assert "NullPool keeps no connections" in problem


def test_everything_that_does_not_go_with_no_pool_is_named():
    (problem,) = problems_of(parse_pool, "poolclass=NullPool,pool_timeout=1,max_overflow=2")
    assert "max_overflow, pool_timeout" in problem


@pytest.mark.parametrize(
    ("text", "most", "kept", "for_seven"),
    [
        ("5+10", 15, 5, 7),
        ("5+0", 5, 5, 5),
        ("3+inf", None, 3, 7),
        ("0+10", None, None, 7),  # to SQLAlchemy a pool of size 0 has no limit
    ],
)
def test_how_many_connections_a_pool_opens_and_keeps(text, most, kept, for_seven):
    pool = parse_pool(text)
    assert pool.most_connections == most
    assert pool.kept_connections == kept
    assert pool.connections_for(7) == for_seven


def test_a_queue_pool_passes_every_setting_but_the_name():
    assert parse_pool("20+0").arguments().keys() == PoolConfig.model_fields.keys() - {"name"}


@pytest.mark.parametrize(
    ("config", "key"),
    [(PoolConfig(), "pool_size"), (PoolConfig(), "name"), (LoadConfig(), "users")],
)
def test_a_configuration_cannot_be_changed(config, key):
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, key, 1)


def test_a_configuration_is_equal_to_another_with_the_same_values():
    assert PoolConfig(pool_size=20, max_overflow=0) == parse_pool("20+0")
    assert PoolConfig(**parse_pool("20+0").model_dump()) == parse_pool("20+0")


# ---- Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("30", 30.0),
        (" 30s ", 30.0),
        (30, 30.0),
        (0.25, 0.25),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5 s", "-5s", "5d", "1e3", "1m30s", "inf", True, None])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration; write 30s"):
        parse_duration(text)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0, "0s"])
def test_a_load_goes_on_for_some_time_but_not_for_ever(value):
    (problem,) = problems_of(validated, LoadConfig, {"duration": value}, "load")
    assert problem.startswith("load: duration: ")


def test_users_start_within_a_second_unless_told_otherwise():
    assert LoadConfig(users=300).users_per_second == 300
    assert LoadConfig(users=300, spawn_rate=20).users_per_second == 20


# ---- Experiments


def test_an_experiment_is_read_with_its_scenario_beside_it(written):
    path = written(SOUND)
    experiment = read_experiment(path)
    assert experiment.name == "hot-row"
    assert experiment.scenario == path.parent / "hot_row.py"
    assert [pool.name for pool in experiment.pool] == ["default", "20+0"]
    assert experiment.load == LoadConfig(users=300, duration=5.0)
    assert (experiment.rounds, experiment.seed) == (5, 1)


def test_a_baseline_may_be_named(written):
    assert read_experiment(written(SOUND)).baseline == ""
    assert read_experiment(written(f'baseline = "20+0"{SOUND}')).baseline == "20+0"


def test_options_keep_their_types(written):
    options = '[options]\nhot_rows = 50\nheld = 0.5\nfair = true\ntable = "7"\n'
    experiment = read_experiment(written(SOUND.replace("[load]", f"{options}[load]")))
    assert experiment.options == {"hot_rows": 50, "held": 0.5, "fair": True, "table": "7"}
    assert type(experiment.options["fair"]) is bool


@pytest.mark.parametrize("path", sorted(ROOT.glob("scenarios/*.toml")), ids=lambda path: path.stem)
def test_the_experiments_that_come_with_the_tool_are_sound(path):
    assert read_experiment(path).pool


def test_all_mistakes_of_an_experiment_are_listed_at_once_with_file_and_key(written):
    path = written("""
name = "Hot Row"
scenario = "hot_row.py"
rouns = 5
rounds = 0
[load]
users = 0
duration = "long"
arrival = 5
[[pool]]
pool_size = "many"
[[pool]]
poolclass = "StaticPool"
""")
    problems = problems_of(read_experiment, path)
    assert all(problem.startswith(f"{path}: ") for problem in problems)
    keys = [problem.removeprefix(f"{path}: ").split(": ")[0] for problem in problems]
    assert sorted(keys) == sorted(
        [
            "name",
            "rounds",
            "load.users",
            "load.duration",
            "load.arrival",
            "pool.1.pool_size",
            "pool.2.poolclass",
            "rouns",
        ]
    )


def test_an_unknown_key_is_answered_with_the_known_ones(written):
    (problem,) = problems_of(read_experiment, written(f"rouns = 3{SOUND}"))
    assert "rouns: unknown key; the keys are name, scenario" in problem


def test_an_unknown_key_of_a_part_is_answered_with_those_of_that_part(written):
    path = written(SOUND.replace("pool_size", "pool_sise").replace("users", "user"))
    assert sorted(problems_of(read_experiment, path)) == [
        f"{path}: load.user: unknown key; the keys are {', '.join(LoadConfig.model_fields)}"
        "; did you mean users?",
        f"{path}: pool.2.pool_sise: unknown key; the keys are {', '.join(PoolConfig.model_fields)}"
        "; did you mean pool_size?",
    ]


def test_a_pool_in_single_brackets_is_answered_with_double_ones(written):
    path = written(SOUND.partition("[[pool]]")[0] + "[pool]\npool_size = 20\n")
    assert problems_of(read_experiment, path) == [
        f"{path}: pool: write [[pool]], with two brackets, above each pool"
    ]


def test_what_is_missing_is_named(written):
    problems = problems_of(read_experiment, written("rounds = 3"))
    assert [problem.split(": ")[1:] for problem in problems] == [
        ["name", "missing"],
        ["scenario", "missing"],
        ["pool", "missing"],
    ]


def test_an_experiment_needs_a_pool():
    data = {"name": "a", "scenario": "a.py", "pool": []}
    assert problems_of(validated, Experiment, data, "a.toml") == [
        "a.toml: pool: no pool is given; add a [[pool]]"
    ]


@pytest.mark.parametrize("key", ["users", "spawn_rate", "duration"])
def test_yes_is_not_a_number(written, key):
    text = SOUND.replace("users = 300", "").replace('duration = "5s"', f"{key} = true")
    (problem,) = problems_of(read_experiment, written(text))
    assert f"load.{key}: True is not a" in problem


def test_broken_toml_is_named_with_its_line(written):
    path = written('name = "a"\nscenario = oops\n')
    (problem,) = problems_of(read_experiment, path)
    assert problem.startswith(f"{path}: not valid TOML: ")
    assert "line 2" in problem


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b'name = "\xff"')
    assert problems_of(read_experiment, path) == [
        f"{path}: cannot be read: it is not text in UTF-8"
    ]


def test_an_experiment_that_is_not_there_is_named(tmp_path):
    assert problems_of(read_experiment, tmp_path / "none.toml") == [
        f"{tmp_path}/none.toml: cannot be read: No such file or directory"
    ]


def test_a_scenario_that_is_not_there_is_named(written):
    path = written(SOUND.replace("hot_row.py", "cold_row.py"))
    assert problems_of(read_experiment, path) == [
        f"{path}: scenario: there is no file {path.parent}/cold_row.py; did you mean hot_row.py?"
    ]


def test_two_pools_of_one_name_cannot_be_told_apart(written):
    path = written(SOUND.replace('"default"', '"20+0"'))
    assert problems_of(read_experiment, path) == [
        f"{path}: two pools have the name '20+0'; rename one of them"
    ]


def test_the_same_settings_can_be_compared_with_themselves(written):
    text = '[[pool]]\nname = "again"\npool_size = 20\nmax_overflow = 0\n'
    assert len(read_experiment(written(SOUND + text)).pool) == 3


def test_a_baseline_must_be_one_of_the_pools(written):
    path = written(f'baseline = "defualt"{SOUND}')
    assert problems_of(read_experiment, path) == [
        f"{path}: the baseline 'defualt' is not one of the pools ['default', '20+0']; "
        "did you mean default?"
    ]


def test_names_that_do_not_fit_are_told_together(written):
    text = f'baseline = "other"{SOUND}'.replace('"default"', '"20+0"')
    (problem,) = problems_of(read_experiment, written(text))
    assert "two pools have the name '20+0'" in problem
    assert "the baseline 'other'" in problem


# ---- An application


def test_an_applications_own_pool_has_no_settings_here():
    own = parse_pool("as-is")
    assert own == parse_pool("poolclass=as-is") == PoolConfig(poolclass="as-is")
    assert (own.name, parse_pool("mine:as-is").name) == ("as-is", "mine")
    assert own.arguments() == {"poolclass": "as-is"}
    assert (own.most_connections, own.connections_for(7)) == (None, 7)


def test_an_experiment_may_name_an_application(written):
    own = SOUND.replace('name = "default"', 'poolclass = "as-is"')
    experiment = read_experiment(written('session = "shop.db:Session"\n' + own))
    assert experiment.named_engine == experiment.session == "shop.db:Session"
    assert experiment.pool[0].name == "as-is"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"pool": ("as-is",)}, "as-is is an application's own pool"),
        (
            {"pool": ("isolation_level=AUTOCOMMIT",), "engine": "a:b"},
            "own isolation_level; remove this",
        ),
        (
            {"pool": ("5+10",), "engine": "a:b", "fault": ("freeze@1s+1s",)},
            "not possible on an appl",
        ),
    ],
)
def test_what_does_not_go_with_an_application_is_refused(more, problem):
    given = {"name": "x", "scenario": "x.py", **more}
    given["pool"] = [parse_pool(text) for text in given["pool"]]
    given["fault"] = [parse_fault(text) for text in given.get("fault", ())]
    with pytest.raises(ValidationError, match=problem):
        Experiment(**given)
