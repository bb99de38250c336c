"""Measurements add up exactly, however a stream of them is cut and in whatever order joined."""

import base64
import json
import struct
import zlib
from collections import Counter
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.model.distribution import Distribution
from loadtest.model.histogram import (
    LONGEST_MICROSECONDS,
    SIGNIFICANT_DIGITS,
    all_encoded,
    decoded,
    encoded,
)
from loadtest.model.interval import (
    SLOWEST_KEPT,
    Fair,
    Gauge,
    Interval,
    SlowCheckout,
    total,
)
from loadtest.model.place_use import (
    Holders,
    PlaceUse,
    Shortage,
    longest,
)
from loadtest.model.request_use import RequestUse, TimeBand
from loadtest.model.task_use import TaskUse

# Intervals are large examples. How long one takes says nothing on a busy machine.
unhurried = settings(deadline=None, max_examples=settings.default.max_examples // 5)

HOUR = LONGEST_MICROSECONDS * 1000
# The edges of the bins are powers of two of a microsecond, and halves are rounded.
edges = st.builds(
    lambda power, around, half: max(0, (2**power + around) * 1000 + half),
    st.integers(0, 32),
    st.integers(-2, 2),
    st.sampled_from([-501, -500, -499, 0, 499, 500, 501]),
)
durations = st.lists(st.integers(0, 10**6) | st.integers(0, 2 * HOUR) | edges, max_size=20)
levels = st.integers(0, 5_000)
gauges = st.builds(Gauge, st.integers(0, 10**12), levels, levels, levels)
distributions = durations.map(Distribution.of)
some_durations = durations.filter(bool)
slow = st.builds(
    SlowCheckout,
    total=st.integers(0, 50),
    wait=st.integers(0, 50),
    hold=st.none() | st.integers(0, 50),
    task=st.none() | st.sampled_from(["Buy", "Look"]),
)
uses = st.dictionaries(
    st.sampled_from(["Buy", "Look"]), st.builds(TaskUse, *[st.integers(0, 10**9)] * 8)
)
shares = st.builds(Fair, *[st.integers(1, 10**6)] * 5)
PLACES = ["shop/orders.py:19 customer", "worker.py:7 <module>"]
counted = st.dictionaries(st.sampled_from(["GET /orders", "Pay"]), st.integers(1, 9)).map(Counter)
places = st.builds(PlaceUse, *[st.integers(0, 10**9)] * 15, counted, counted, st.integers(0, 10**9))
shortages = st.builds(
    Shortage,
    *[st.integers(0, 10**18)] * 2,
    st.booleans(),
    st.sampled_from(PLACES),
    st.lists(
        st.builds(Holders, st.sampled_from(PLACES), st.integers(1, 9), st.integers(0)), max_size=1
    ).map(tuple),
)
bands = st.dictionaries(st.integers(0, 99), st.builds(TimeBand, *[st.integers(1, 10**9)] * 4))
statuses = st.dictionaries(st.sampled_from(["200", "none"]), st.integers(1, 9)).map(Counter)
requests = st.builds(
    RequestUse,
    *[st.integers(0, 10**9)] * 4,
    statuses,
    bands,
    *[st.integers(0, 10**9)] * 2,
    distributions,
)
words = st.dictionaries(st.sampled_from(["deadlock", "other"]), st.text(max_size=5))
counters = st.dictionaries(
    st.sampled_from(["checkouts", "requests", "closed.error"]), st.integers(0, 10**6)
).map(Counter)


def intervals(**parts: st.SearchStrategy) -> st.SearchStrategy[Interval]:
    """Intervals of one process in one period; `parts` replaces how some of their parts are made."""
    return st.builds(
        Interval,
        **{
            "second": st.integers(1_750_000_000, 1_750_000_100),
            "process": st.just("p1"),
            "length": st.integers(0, 10**9),
            "counters": counters,
            "gauges": st.dictionaries(st.sampled_from(["open", "idle"]), gauges),
            "histograms": st.dictionaries(
                st.sampled_from(["wait", "hold"]), some_durations.map(Distribution.of)
            ),
            "unfinished": distributions,
            "slowest": st.lists(slow, max_size=SLOWEST_KEPT).map(
                lambda found: sorted(found, key=lambda one: -one.total)
            ),
            "fair": shares,
            "tasks": uses,
            "examples": words,
            "first_failure": st.integers(0, 10**18),
            "places": st.dictionaries(st.sampled_from(PLACES), places, max_size=1),
            "shortages": st.lists(shortages, max_size=2).map(longest),
            "role": st.just("application"),
            "requests": st.dictionaries(st.sampled_from(["GET /orders", "Pay"]), requests),
        }
        | parts,
    )


def one_by_one(nanoseconds: list[int]) -> HdrHistogram:
    """What HdrHistogram makes of durations, rounded to microseconds, that it records itself."""
    histogram = HdrHistogram(1, LONGEST_MICROSECONDS, SIGNIFICANT_DIGITS)
    for duration in nanoseconds:
        assert histogram.record_value(min((duration + 500) // 1000, LONGEST_MICROSECONDS))
    return histogram


def pieces_of(stream: list[int], cuts: list[int]) -> list[list[int]]:
    """A stream cut at some places."""
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(places)]


# ---- Distributions


@unhurried
@given(durations)
def test_durations_are_binned_as_if_they_had_been_recorded_one_by_one(nanoseconds):
    distribution, expected = Distribution.of(nanoseconds), one_by_one(nanoseconds)
    counts = distribution.counts.tolist()
    assert counts == list(expected.counts)[: len(counts)]
    assert sum(counts) == expected.get_total_count() == len(nanoseconds)
    for percent in (50, 95, 99.9, 100) if nanoseconds else ():
        value = min(expected.get_value_at_percentile(percent) * 1000, distribution.max) / 1e9
        assert distribution.percentile_seconds(percent) == value


@unhurried
@given(some_durations)
def test_a_histogram_is_written_as_hdrhistogram_writes_it(nanoseconds):
    theirs = HdrHistogram(1, LONGEST_MICROSECONDS, SIGNIFICANT_DIGITS)
    theirs.decode_and_add(encoded(Distribution.of(nanoseconds).counts))
    assert list(theirs.counts) == list(one_by_one(nanoseconds).counts)


@unhurried
@given(st.lists(durations, max_size=4))
def test_several_histograms_are_read_as_hdrhistogram_has_written_them(several):
    texts = [one_by_one(nanoseconds).encode().decode() for nanoseconds in several]
    found = decoded(texts)
    assert [Distribution(1, 1, 1, counts).bins() for counts in found] == [
        Distribution.of(nanoseconds).bins() for nanoseconds in several
    ]


@pytest.mark.parametrize("number", [1, 63, 64, 8191, 8192, 2**31, 2**54])
def test_a_count_of_any_size_is_read_as_it_was_written(number):
    counts = np.array([0, number, 0, 0, 0, 1, number], dtype=np.int64)
    (found,) = decoded([encoded(counts)])
    assert found.tolist() == counts.tolist()


@unhurried
@given(durations)
def test_bins_are_the_filled_ones_with_their_upper_edges(nanoseconds):
    distribution = Distribution.of(nanoseconds)
    assert distribution.bins() == [
        (item.value_iterated_to, item.count_added_in_this_iter_step)
        for item in one_by_one(nanoseconds).get_recorded_iterator()
    ]


@unhurried
@given(durations)
def test_count_sum_and_maximum_are_exact(nanoseconds):
    distribution = Distribution.of(nanoseconds)
    assert distribution.count == len(nanoseconds)
    assert distribution.sum == sum(nanoseconds)
    assert distribution.max == max(nanoseconds, default=0)
    if nanoseconds:
        assert distribution.mean_seconds == pytest.approx(np.mean(nanoseconds) / 1e9)


def test_an_array_a_range_and_a_list_make_the_same_distribution():
    expected = Distribution.of(list(range(0, 10**6, 997)))
    assert Distribution.of(range(0, 10**6, 997)) == expected
    assert Distribution.of(np.arange(0, 10**6, 997)) == expected


def test_a_clock_that_ran_backwards_counts_as_zero():
    assert Distribution.of([-5, 7]) == Distribution.of([0, 7])


def test_a_duration_of_more_than_an_hour_keeps_its_sum_and_maximum():
    distribution = Distribution.of([3 * HOUR])
    assert (distribution.sum, distribution.max) == (3 * HOUR, 3 * HOUR)
    assert distribution.bins()[0][1] == 1


def test_nothing_measured_is_none_not_zero():
    assert Distribution().mean_seconds is None
    assert Distribution().percentile_seconds(99) is None
    assert Distribution().bins() == []


@unhurried
@given(some_durations)
def test_percentiles_rise_and_never_exceed_the_maximum(nanoseconds):
    distribution = Distribution.of(nanoseconds)
    percentiles = [distribution.percentile_seconds(p) for p in (0, 25, 50, 90, 99, 99.9, 100)]
    assert percentiles == sorted(percentiles)
    assert percentiles[-1] * 1e9 <= distribution.max + 0.5


@unhurried
@given(st.integers(100_000, HOUR), st.integers(1, 1000), st.floats(0, 100))
def test_a_percentile_is_within_one_percent(duration, count, percent):
    distribution = Distribution.of([duration] * count)
    assert distribution.percentile_seconds(percent) == pytest.approx(duration / 1e9, rel=0.01)


@unhurried
@given(durations, st.lists(st.integers(0, 100), max_size=5))
def test_pieces_of_a_stream_add_up_to_the_whole(nanoseconds, cuts):
    pieces = [Distribution.of(piece) for piece in pieces_of(nanoseconds, cuts)]
    whole = Distribution.of(nanoseconds)
    assert reduce(Distribution.__add__, pieces) == whole
    in_place = Distribution()
    for piece in pieces:
        in_place.add(piece)
    assert in_place == whole


@unhurried
@given(distributions, distributions, distributions)
def test_adding_distributions_is_commutative_and_associative(one, two, three):
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + Distribution() == one


@unhurried
@given(durations, durations)
def test_adding_leaves_both_parts_as_they_were(left, right):
    one, two = Distribution.of(left), Distribution.of(right)
    one + two
    assert (one, two) == (Distribution.of(left), Distribution.of(right))


@unhurried
@given(distributions)
def test_a_distribution_reads_back_as_it_was_written(distribution):
    text = json.dumps(distribution.to_json())
    assert Distribution.from_json(json.loads(text)) == distribution


def test_distributions_differ_when_only_their_bins_differ():
    one, two = Distribution.of([1_000_000, 5_000_000]), Distribution.of([2_000_000, 4_000_000])
    two.max = one.max
    assert (one.count, one.sum, one.max) == (two.count, two.sum, two.max)
    assert one != two
    assert one != "a distribution"


# ---- Gauges


def test_a_gauge_goes_on_with_the_later_level():
    earlier, later = Gauge(10, min=2, max=4, last=3), Gauge(5, min=1, max=3, last=1)
    assert earlier.then(later) == Gauge(15, min=1, max=4, last=1)


def test_gauges_of_two_processes_are_summed():
    one, other = Gauge(10, min=2, max=4, last=3), Gauge(5, min=1, max=3, last=1)
    assert one.beside(other) == Gauge(15, min=3, max=7, last=4)


@unhurried
@given(gauges, gauges, gauges)
def test_joining_gauges_is_associative_and_beside_is_commutative(one, two, three):
    assert one.then(two).then(three) == one.then(two.then(three))
    assert one.beside(two).beside(three) == one.beside(two.beside(three))
    assert one.beside(two) == two.beside(one)


@unhurried
@given(gauges, gauges)
def test_then_and_beside_agree_about_the_integral_alone(one, two):
    assert one.then(two).integral == one.beside(two).integral == one.integral + two.integral
    assert one.then(two).max <= one.beside(two).max


# ---- Shares


@unhurried
@given(shares, shares, shares)
def test_the_users_of_several_processes_share_in_any_grouping(one, two, three):
    assert one.beside(two).beside(three) == one.beside(two.beside(three))
    assert one.beside(two) == two.beside(one)


def test_everybody_got_as_much_or_one_got_all():
    assert Fair(users=4, served=4, checkouts=20, squares=4 * 25).jain == 1
    assert Fair(users=4, served=1, checkouts=20, squares=400).jain == 1 / 4
    assert Fair(users=4).jain is None


# ---- Intervals


@unhurried
@given(intervals(), intervals(), intervals())
def test_intervals_that_follow_one_another_may_be_joined_in_any_grouping(one, two, three):
    assert one.then(two).then(three) == one.then(two.then(three))


@unhurried
@given(intervals(), intervals(), intervals())
def test_intervals_beside_one_another_may_be_joined_in_any_grouping(one, two, three):
    assert one.beside(two).beside(three) == one.beside(two.beside(three))


# Of the slowest and of the examples the first process's come first.
alike = intervals(slowest=st.just([]), examples=st.just({}))


@unhurried
@given(alike, alike)
def test_it_does_not_matter_which_process_comes_first(one, two):
    assert one.beside(two) == two.beside(one)


@unhurried
@given(intervals(), intervals())
def test_counters_histograms_and_integrals_add_up_either_way(one, two):
    for joined in (one.then(two), one.beside(two)):
        for name in one.counters.keys() | two.counters.keys():
            assert joined.counters[name] == one.counters[name] + two.counters[name]
        for name in one.histograms.keys() | two.histograms.keys():
            parts = [i.histograms.get(name, Distribution()) for i in (one, two)]
            assert joined.histograms[name] == parts[0] + parts[1]
        for name in one.gauges.keys() | two.gauges.keys():
            parts = [i.gauges.get(name, Gauge()).integral for i in (one, two)]
            assert joined.gauges[name].integral == sum(parts)


@unhurried
@given(intervals(), intervals())
def test_shares_are_as_they_stood_last_or_those_of_both(one, two):
    assert one.then(two).fair == two.fair
    assert one.beside(two).fair == one.fair.beside(two.fair)


@unhurried
@given(intervals(), intervals())
def test_what_tasks_did_adds_up_but_what_they_kept_is_as_it_stood_last(one, two):
    later, both = one.then(two).tasks, one.beside(two).tasks
    nothing = TaskUse()
    for name in one.tasks.keys() | two.tasks.keys():
        first, second = one.tasks.get(name, nothing), two.tasks.get(name, nothing)
        assert both[name].hold == later[name].hold == first.hold + second.hold
        assert both[name].query == later[name].query == first.query + second.query
        assert both[name].waiting_with == max(first.waiting_with, second.waiting_with)
        assert both[name].deadlocked == later[name].deadlocked
        assert later[name].kept == second.kept
        assert both[name].kept == first.kept + second.kept


@unhurried
@given(intervals(), intervals())
def test_the_requests_of_a_name_add_up_and_the_last_ones_are_in_progress(one, two):
    whole = total([one, two])
    ways = ((one.then(two), RequestUse.then), (one.beside(two), RequestUse.plus))
    for joined, join in (*ways, (whole, RequestUse.then)):
        assert joined.requests.keys() == one.requests.keys() | two.requests.keys()
        for name, use in joined.requests.items():
            first, second = (i.requests.get(name, RequestUse()) for i in (one, two))
            assert use == join(first, second)
            left = (
                second.unfinished
                if join is RequestUse.then
                else first.unfinished + second.unfinished
            )
            assert use.unfinished == left


@unhurried
@given(intervals(), intervals())
def test_the_first_example_of_each_error_is_kept(one, two):
    for joined in (one.then(two), one.beside(two)):
        assert joined.examples == {**two.examples, **one.examples}


@unhurried
@given(intervals(), intervals())
def test_lengths_follow_one_another_but_do_not_grow_side_by_side(one, two):
    assert one.then(two).length == one.length + two.length
    assert one.beside(two).length == max(one.length, two.length)


@unhurried
@given(intervals(), intervals())
def test_waits_going_on_at_the_end_are_the_later_ones_or_those_of_both(one, two):
    assert one.then(two).unfinished == two.unfinished
    assert one.beside(two).unfinished == one.unfinished + two.unfinished


@unhurried
@given(intervals(), intervals())
def test_the_slowest_of_both_are_kept_and_no_more(one, two):
    every = sorted((c.total for c in [*one.slowest, *two.slowest]), reverse=True)
    for joined in (one.then(two), one.beside(two)):
        assert [checkout.total for checkout in joined.slowest] == every[:SLOWEST_KEPT]


@unhurried
@given(intervals(), intervals())
def test_joining_leaves_both_intervals_as_they_were(one, two):
    before = json.dumps([one.to_json(), two.to_json()])
    one.then(two).histograms.get("wait", Distribution()).add(Distribution.of([1]))
    one.beside(two).counters["checkouts"] += 1
    assert json.dumps([one.to_json(), two.to_json()]) == before


def test_two_processes_together_are_neither_of_them():
    one, two = Interval(7, "p1"), Interval(7, "p2")
    assert one.beside(two).process == ""
    assert one.beside(one).process == "p1"


@pytest.mark.parametrize("role", ["", "application"])
def test_processes_of_two_roles_together_have_none(role):
    one, generator = Interval(5, "p1", role=role), Interval(5, "p2")
    assert one.beside(generator).role == generator.beside(one).role == ""
    assert one.beside(one).role == one.then(one).role == total([one, one]).role == role


same_gauges = st.fixed_dictionaries({"open": gauges, "idle": gauges})


@unhurried
@given(st.lists(intervals(gauges=same_gauges), min_size=1, max_size=5))
def test_absorbing_one_by_one_is_the_same_as_then(found):
    found.sort(key=lambda interval: interval.second)
    expected = reduce(Interval.then, found)
    assert total(found) == expected
    running = Interval(found[0].second, "p1", length=0, role=expected.role)
    for interval in found:
        running.absorb(interval)
    assert running == expected


@unhurried
@given(st.lists(intervals(), min_size=1, max_size=4))
def test_a_running_total_leaves_the_intervals_as_they_were(found):
    before = [interval.to_json() for interval in found]
    total([*found, *found])
    assert [interval.to_json() for interval in found] == before


def test_a_running_total_keeps_a_gauge_that_a_later_interval_does_not_know():
    known = Gauge(10, min=2, max=4, last=3)
    assert total([Interval(1), Interval(2, gauges={"open": known}), Interval(3)]).gauges == {
        "open": known
    }


def test_the_total_of_nothing_is_empty():
    assert total([]) == Interval(0, length=0)


@unhurried
@given(durations, st.lists(st.integers(0, 100), max_size=5))
def test_a_stream_cut_at_any_point_adds_up_to_the_whole(nanoseconds, cuts):
    def interval(piece: list[int]) -> Interval:
        histograms = {"wait": Distribution.of(piece)} if piece else {}
        return Interval(7, "p1", counters=Counter(checkouts=len(piece)), histograms=histograms)

    joined = total([interval(piece) for piece in pieces_of(nanoseconds, cuts)])
    whole = interval(nanoseconds)
    assert joined.counters == whole.counters
    assert joined.histograms == whole.histograms


@unhurried
@given(intervals(period=st.sampled_from(["warmup", "measured", "drain"])))
def test_an_interval_reads_back_as_it_was_written(interval):
    text = json.dumps(interval.to_json())
    assert Interval.from_json(json.loads(text)) == interval


@unhurried
@given(intervals(), intervals())
def test_what_is_decoded_late_is_passed_on_and_added_as_if_it_had_been_at_once(one, two):
    early = [Interval.from_json(json.loads(json.dumps(i.to_json()))) for i in (one, two)]
    late = [Interval.from_json(i.to_json()) for i in (one, two)]
    assert [i.to_json() for i in late] == [one.to_json(), two.to_json()]
    assert late[0].beside(late[1]) == early[0].beside(early[1]) == one.beside(two)
    assert late == [one, two]


def test_what_was_written_before_more_was_added_is_not_written_again():
    distribution = Distribution.of([1_000_000])
    before = distribution.to_json()
    distribution.add(Distribution.of([2_000_000]))
    assert distribution.to_json() != before
    assert Distribution.from_json(distribution.to_json()) == distribution


def damaged_histograms():
    """Texts that are no histogram, by where they stop being one."""
    text = Distribution.of([1_000_000]).to_json()["hdr"]
    raw = base64.b64decode(text)
    changed = bytearray(raw)
    changed[-1] ^= 1
    length = (len(raw) - 9).to_bytes(4, "big")
    header = raw[:4]
    return {
        "letters of another alphabet": "é" * 8,
        "no whole letters": text[:-1],
        "nothing": "",
        "a header alone": base64.b64encode(header + bytes(4)).decode(),
        "another header": base64.b64encode(b"abcd" + raw[4:]).decode(),
        "another length": base64.b64encode(raw[:-1]).decode(),
        "an end that is missing": base64.b64encode(header + length + raw[8:-1]).decode(),
        "another checksum": base64.b64encode(bytes(changed)).decode(),
        "too little inside": packed(b"short"),
        "something else inside": packed(bytes(100)),
        "a count that is cut off": packed(numbers(b"\x82")),
        "a count of too many bytes": packed(numbers(b"\x82" * 8 + b"\x01")),
        "more bins than there are": packed(numbers(b"\x01" + b"\xff\xff\x7f")),
        "numbers without end": packed(numbers(b"\x02" * 4000)),
        "other digits": packed(numbers(b"\x02", digits=3)),
    }


def numbers(content, digits=SIGNIFICANT_DIGITS):
    """A histogram's header and the numbers after it."""
    return struct.pack(">IIIIQQd", 0x1C849313, len(content), 0, digits, 1, 10**9, 1.0) + content


def packed(content):
    """Something in the place of a histogram, compressed as one is."""
    inside = zlib.compress(content)
    raw = base64.b64decode(Distribution.of([1]).to_json()["hdr"])
    return base64.b64encode(raw[:4] + len(inside).to_bytes(4, "big") + inside).decode()


@pytest.mark.parametrize("what", damaged_histograms())
def test_a_damaged_histogram_is_refused(what):
    sound = Distribution.of([1_000_000]).to_json()["hdr"]
    with pytest.raises(ValueError, match="not a histogram"):
        decoded([sound, damaged_histograms()[what], sound])


def test_empty_parts_are_left_out_of_the_file():
    empty = Interval(7, counters=Counter(timeouts=0), histograms={"wait": Distribution()})
    written = empty.to_json()
    assert written["counters"] == written["histograms"] == written["gauges"] == {}
    assert "unfinished" not in written
    assert "slowest" not in written


@unhurried
@given(st.lists(durations, max_size=5))
def test_several_histograms_are_written_as_each_alone(several):
    counts = [Distribution.of(nanoseconds).counts for nanoseconds in several]
    assert all_encoded(counts) == [encoded(one) for one in counts]
    distributions = [Distribution.of(nanoseconds) for nanoseconds in several]
    Distribution.encode(distributions)
    alone = [Distribution.of(nanoseconds).to_json() for nanoseconds in several]
    assert [one.to_json() for one in distributions] == alone


@unhurried
@given(st.lists(some_durations, min_size=1, max_size=5))
def test_groups_of_durations_are_binned_as_each_alone(several):
    begins = [sum(map(len, several[:number])) for number in range(len(several))]
    joined = np.array([one for group in several for one in group], dtype=np.int64)
    found = list(Distribution.of_groups(joined, begins))
    assert found == [Distribution.of(nanoseconds) for nanoseconds in several]
    assert all(type(number) is int for one in found for number in (one.count, one.sum, one.max))
