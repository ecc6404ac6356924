# SPDX-License-Identifier: BSD-2-Clause
"""A whole line under Verilator against its model: every result, to the bit and to the cycle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.readout.top import line_verilog, with_memories
from triplane.gateware.readout.writes import epoch_writes, weight_writes, window_writes
from triplane.sim.models.readout.line import LineModel, Tone
from triplane.sim.readout import SimulatedLine, build_line

TONES, DEPTH, WINDOWS = 3, 64, 8
PARAMETERS = {"num_windows": WINDOWS, "trace_depth": 128, "decimated_depth": 32}


@pytest.fixture(scope="module")
def build():
    return build_line(ReadoutLine(TONES, DEPTH, **PARAMETERS))


@pytest.fixture
def line(build):
    with SimulatedLine(build) as simulated:
        yield simulated


def tones(rng: np.random.Generator, scale: int = 1 << 15) -> list[Tone]:
    """Tones with everything at random; projections are small beside their offsets as often as not."""

    def discriminant() -> Discriminant:
        size = 1 << int(rng.integers(4, 18))
        a1, b1, a2, b2 = rng.integers(-size, size, 4).tolist()
        c1, c2 = rng.integers(-size << 20, size << 20, 2).tolist()
        return Discriminant(a1, b1, c1, a2, b2, c2, int(rng.integers(8)))

    return [
        Tone(int(rng.integers(1 << 32)), rng.integers(-scale, scale, (DEPTH, 2)), discriminant())
        for _ in range(TONES)
    ]


def samples(rng: np.random.Generator, cycles: int) -> np.ndarray:
    return rng.integers(-(1 << 15), 1 << 15, (cycles, 2)).astype(np.int16)


def load(line: SimulatedLine, setup: list[Tone], table: dict[int, Window], now: int = 1000) -> LineModel:
    """Sets the line up; the model of it is what comes back."""
    line.now = now
    for number, tone in enumerate(setup):
        line.load_tone(number, frequency=tone.frequency, weights=tone.weights, discriminant=tone.discriminant)
    for number, window in table.items():
        line.apply(window_writes(number, window))
    return LineModel(setup, table, lead=line.build.lead, latency=ReadoutLine.LATENCY)


def simulate(line: SimulatedLine, model: LineModel, stream: np.ndarray, events: list[tuple[int, int]]) -> int:
    """All that the line says is what the model says; returns the number of windows."""
    now, busy = line.now, line.busy_cycles
    records = line.run(len(stream), stream, events)
    assert line.busy_cycles - busy == model.busy_cycles(len(stream), events, now=now)
    said, collisions = model.run(stream, events, now=now)
    expected = {result.cycle: result for result in said}
    heard = [r for r in records if r["valid"] or r["saturated"]]
    silent = {r.cycle for r in said if not r.results and not r.saturated}
    assert [int(r["cycle"]) for r in heard] == sorted(set(expected) - silent)
    assert tuple(int(r["cycle"]) for r in records if r["collision"]) == collisions
    assert not records["unknown"].any()
    for record in heard:
        result = expected[int(record["cycle"])]
        assert record["time"] == (result.window.stop - 1) & 0xFFFFFFFF
        assert record["saturated"] == (result.saturated > 0)
        assert record["valid"] == result.window.window.tones
        for k, found in result.results.items():
            assert record["bits"] >> k & 1 == found.bit[0]
            assert record["leaked"] >> k & 1 == found.leaked[0]
            assert record["soft"][k] == found.soft[0]
    return len(said)


def test_latency(line):
    """The only sample that is not zero is the last one: a result that came sooner could not know it."""
    assert ReadoutLine.LATENCY <= 7
    setup = [Tone(0, np.full((DEPTH, 2), 1 << 14), Discriminant(1, 0, 0))] * TONES
    load(line, setup, {0: Window(0b101, 20, delay=3)})
    stream = np.zeros((60, 2), dtype=np.int16)
    last = 5 + line.build.lead + 3 + 19
    stream[last] = (1000, 0)
    start = line.now
    (record,) = line.run(60, stream, [(5, 0)])
    assert (record["valid"], record["bits"], record["leaked"]) == (0b101, 0b101, 0)
    assert record["cycle"] - (start + last) == ReadoutLine.LATENCY
    assert record["time"] == start + last


@pytest.mark.parametrize("pause", [0, 1, 7])
@pytest.mark.parametrize("length", [1, 2, 5, 64])
def test_windows_one_after_another(line, length, pause):
    rng = np.random.default_rng(length + 100 * pause)
    model = load(line, tones(rng), {0: Window(7, length), 1: Window(5, length, first_weight=64 - length)})
    count = 40
    events = [(k * (length + pause), k % 2) for k in range(count)]
    assert simulate(line, model, samples(rng, events[-1][0] + length + 40), events) == count


@pytest.mark.parametrize("early", [0, 1, 2, 9])
def test_overlap_by_samples(line, early):
    """A window that touches the one before is taken; one that begins a sample too early is not, and changes nothing."""
    rng = np.random.default_rng(early)
    model = load(line, tones(rng), {0: Window(7, 10, delay=2), 1: Window(6, 4, delay=2)})
    windows = simulate(line, model, samples(rng, 80), [(5, 0), (15 - early, 1), (19, 0)])
    assert windows == (3 if early == 0 else 2)
    assert line.read("settings_collisions") == 3 - windows


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_events(build, data, seed):
    """Random windows, delays longer than the windows before, overlaps, a full queue."""
    rng = np.random.default_rng(seed)
    window = st.builds(
        Window,
        tones=st.integers(0, 7),
        length=st.integers(1, 32),
        delay=st.sampled_from([0, 0, 1, 5, 40]),
        first_weight=st.integers(0, 32),
    )
    table = dict(enumerate(data.draw(st.lists(window, min_size=WINDOWS, max_size=WINDOWS))))
    gaps = data.draw(st.lists(st.sampled_from([1, 1, 2, 5, 9, 30, 60]), min_size=1, max_size=40))
    values = data.draw(st.lists(st.integers(0, WINDOWS - 1), min_size=len(gaps), max_size=len(gaps)))
    events = list(zip(np.cumsum(gaps).tolist(), values, strict=True))
    with SimulatedLine(build) as line:
        model = load(line, tones(rng), table)
        said = simulate(line, model, samples(rng, events[-1][0] + 200), events)
        assert line.read("settings_windows") == said
        accepted = len(events) - line.read("settings_collisions")
        assert accepted == said


def test_phase_is_that_of_absolute_time(line):
    """A tone that is there all the time gives the same integral whenever it is looked at, also across the wrap."""
    frequency = 0x1234567
    setup = [Tone(frequency, np.full((DEPTH, 2), 30000), Discriminant(100, 0, 0, soft_shift=2))] * TONES
    for now in (0, 12345, (1 << 32) - 400, (1 << 40) - 300):
        model = load(line, setup, {0: Window(7, 50)}, now=now)
        times = line.now + np.arange(1500)
        tone = 20000 * np.exp(2j * np.pi * frequency * times / 2**32)
        stream = np.rint(np.stack([tone.real, tone.imag], axis=1)).astype(np.int16)
        events = [(k * 73, 0) for k in range(19)]
        said, _ = model.run(stream, events, now=line.now)
        integrals = np.array([
            [int(x[0]) for x in model.integrals(0, s.window, stream[s.window.start - times[0] :][:50])]
            for s in said
        ])  # fmt: skip
        assert len(integrals) == 19
        assert np.ptp(integrals, axis=0).max() <= 10
        assert np.abs(integrals).min() > 400_000
        assert simulate(line, model, stream, events) == 19


def test_epoch_turns_the_phase(line):
    rng = np.random.default_rng(5)
    setup = tones(rng)
    load(line, setup, {0: Window(7, 40)})
    line.apply(epoch_writes(987654321))
    assert line.read("settings_settled") != 7
    line.run(3 * 40)
    assert line.read("settings_settled") == 7
    model = LineModel(setup, {0: Window(7, 40)}, lead=line.build.lead, latency=7, epoch=987654321)
    assert simulate(line, model, samples(rng, 200), [(3, 0), (50, 0)]) == 2


@pytest.mark.parametrize("sample", [(-32768, -32768), (32767, -32768), (32767, 32767)])
def test_full_scale_never_wraps(line, sample):
    """The longest window of extremes, with phasor and weight turned so that nothing cancels."""
    for weight in ((-32768, -32768), (-32768, 32767), (32767, 32767)):
        setup = [
            Tone(k << 29, np.array([weight] * DEPTH), Discriminant(131071, -131072, 0, 1, 1, 5))
            for k in range(3)
        ]
        model = load(line, setup, {0: Window(7, DEPTH)})
        stream = np.tile(np.array(sample, dtype=np.int16), (300, 1))
        assert simulate(line, model, stream, [(k * DEPTH, 0) for k in range(3)]) == 3
    said, _ = model.run(stream, [(0, 0)], now=1000)
    assert said[0].saturated == DEPTH
    assert line.read("settings_saturated_windows") == 9
    assert line.read("settings_saturated_samples") == 9 * DEPTH
    line.write("settings_control", 1)
    assert line.read("settings_saturated_samples") == 0


def test_saturation_belongs_to_its_window(line):
    """One sample at an end of the range, before, in and after a window of two that touch."""
    model = load(line, tones(np.random.default_rng(3)), {0: Window(1, 10)})
    total = 0
    for position in range(5 + line.build.lead - 2, 5 + line.build.lead + 23):
        stream = np.full((80, 2), 100, dtype=np.int16)
        stream[position, position % 2] = (-32768, 32767)[position // 2 % 2]
        simulate(line, model, stream, [(5, 0), (15, 0)])
        total += 5 + line.build.lead <= position < 5 + line.build.lead + 20
    assert line.read("settings_saturated_samples") == total == 20


def test_raw_trace(line):
    rng = np.random.default_rng(11)
    load(line, tones(rng), {0: Window(1, 10), 1: Window(1, 20, delay=6, trace=True)})
    stream = samples(rng, 300)
    line.write("trace_length", 100)
    line.write("trace_control", 1)
    assert line.read("trace_status") & 3 == 1
    line.run(300, stream, [(2, 0), (20, 1), (60, 1)])
    first = 20 + line.build.lead + 6
    np.testing.assert_array_equal(line.read_trace(), stream[first : first + 100])
    assert line.read("trace_status") & 3 == 0
    line.run(300, -stream, [(20, 1)])  # not armed: the trace stays
    np.testing.assert_array_equal(line.read_trace(), stream[first : first + 100])


def test_raw_trace_by_the_host(line):
    rng = np.random.default_rng(12)
    stream = samples(rng, 400)
    for writes in ((3,), (1, 2)):  # armed and triggered at once, or one after the other
        for value in writes:
            line.write("trace_control", value)
        line.run(400, stream)
        assert line.read("trace_status") == 128 << 8
        # The write itself has taken a cycle or two without a sample.
        trace = line.read_trace()
        (start,) = (k for k in range(5) if (stream[: 128 - k] == trace[k:]).all())
        assert not trace[:start].any()


@pytest.mark.parametrize("decimation", [1, 7, 20, 64])
@pytest.mark.parametrize("tone", [0, 2])
def test_decimated_trace(line, tone, decimation):
    """Values of two flagged windows one after another; the one between is not recorded, or is if asked for."""
    rng = np.random.default_rng(decimation)
    table = {0: Window(7, 20, first_weight=3), 1: Window(1 << 1, 20, decimated=True)}
    model = load(line, tones(rng), table)
    for every in (False, True):
        line.write("settings_partial", tone | every << 8 | (decimation - 1) << 16)
        line.write("decimated_control", 1)
        stream, now = samples(rng, 200), line.now
        events = [(0, 1), (20, 0), (45, 1)]
        line.run(200, stream, events)
        said, _ = model.run(stream, events, now=now)
        values = [
            model.decimated(tone, s.window, stream[s.window.start - now : s.window.stop - now], decimation)
            for s in said
            if every or s.window.window.decimated
        ]
        np.testing.assert_array_equal(line.read_decimated(), np.concatenate(values)[:32])


def test_unknown_events_do_nothing(line):
    load(line, tones(np.random.default_rng(1)), {0: Window(7, 10)})
    for kind, value in ((0, 0), (3, 0), (6, 0), (4, WINDOWS), (4, 1023)):
        records = line.run(60, None, [(4, value)], kind=kind)
        assert records["unknown"].tolist() == [1]
        assert not records["valid"].any()
    assert line.read("settings_unknown") == 5
    assert len(line.run(60, None, [(4, 1024)])) == 1  # only the low 10 bits are the entry


def test_status_holds_the_last_result(line):
    setup = [
        Tone(0, np.full((DEPTH, 2), 0), Discriminant(0, 0, c1, 0, 0, c2))
        for c1, c2 in ((1, 0), (0, 1), (1, 2))
    ]
    load(line, setup, {0: Window(7, 10)})
    (record,) = line.run(60, None, [(4, 0)])
    assert line.read("settings_bits") == record["bits"] == 0b101
    assert line.read("settings_leaked") == record["leaked"] == 0b110
    assert line.read("settings_time") == record["time"]


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ValueError, match="a line has 1 to 16 tones, not 17"):
        ReadoutLine(17)
    with pytest.raises(ValueError, match="power of two from 2 to 1024, not 1000"):
        ReadoutLine(8, 1000)
    with pytest.raises(ValueError, match="2 to 1024 windows, not 1025"):
        ReadoutLine(8, num_windows=1025)
    with pytest.raises(ValueError, match="at least 2 values, not 1"):
        ReadoutLine(8, trace_depth=1)
    with pytest.raises(ValueError, match="1 to 1024 samples, not 0"):
        Window(1, 0)
    with pytest.raises(ValueError, match="can start at weight 0 to 24, not 25"):
        Window(1, 1000, first_weight=25)
    with pytest.raises(ValueError, match="tones is a mask of 16 bits, not 65536"):
        Window(1 << 16, 1)
    with pytest.raises(ValueError, match=r"16 bits, signed; \(32768, 0\) does not fit"):
        weight_writes(0, [(32768, 0)])
    with pytest.raises(ValueError, match="delay is 0 to 65535 cycles, not 65536"):
        Window(1, 1, delay=1 << 16)


def test_every_register_is_described():
    for register in ReadoutLine(TONES, DEPTH, **PARAMETERS).get_csrs():
        assert register.description
        assert all(field.description for field in getattr(getattr(register, "fields", None), "fields", []))


def test_the_smallest_line():
    smallest = ReadoutLine(1, 2, num_windows=2, trace_depth=2, decimated_depth=2)
    setup = [Tone(0x40000000, np.array([[20000, -5], [-32768, 300]]), Discriminant(90, -3, 55, soft_shift=1))]
    rng = np.random.default_rng(8)
    with SimulatedLine(build_line(smallest)) as line:
        model = load(line, setup, {0: Window(1, 2), 1: Window(1, 1, delay=3, first_weight=1)})
        events = [(k * 3, k % 2) for k in range(200)]
        assert 100 <= simulate(line, model, samples(rng, 700), events) < 200


def test_the_largest_line_is_verilog_without_files():
    verilog, memories, addresses = line_verilog(ReadoutLine(16), "line")
    assert memories
    assert "$readmemh" in verilog
    assert "$readmemh" not in with_memories(verilog, memories)
    assert len(set(addresses.values())) == len(addresses)
