"""Files of sound: they decode to what was encoded, and every damage to them is refused."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sounds import wave

from ardm_compress.ardm import make_sound_order
from ardm_compress.ardm.schedule import tile_steps
from ardm_compress.codec import images, sounds
from ardm_compress.coding import loop
from ardm_compress.coding.ans import pushed_stacks
from ardm_compress.coding.loop import Collected, Popped
from ardm_compress.coding.models import load_model
from ardm_compress.coding.sound.analysis import analyse_tile
from ardm_compress.coding.sound.prediction import solve
from ardm_compress.coding.sound.side import PITCH_BITS, SHORTEST_PITCH, code_analysis
from ardm_compress.coding.sound.spectra import hold_quiet
from ardm_compress.coding.sound.spectrum import GAINS, SINE_LIMIT, Spectrum, covariances
from ardm_compress.coding.sound.stretches import Stretch, quiet_frames
from ardm_compress.coding.sound.tile import SoundTile
from ardm_compress.coding.sound.wave import Analysis, link_mask, no_links
from ardm_compress.container import SOUND, STORED, Payloads, parse
from ardm_compress.container.sound import SoundHeader, add_payload, read_header, write_file
from ardm_compress.container.stored import parse_stored, write_stored
from ardm_compress.errors import ArdmError, ChecksumError, FormatError, LimitError, OptionError, UnsupportedError
from ardm_compress.files import spool, write_varint
from ardm_compress.formats.catalogue import read_sound
from ardm_compress.formats.contents import FLAC, VERBATIM, Sound, SoundWrapper
from ardm_compress.inference import find_model
from ardm_compress.inference.instructions import available
from ardm_compress.inference.network import Model
from ardm_compress.options import DEFAULT_LIMITS, EncodeOptions

RATE = 16000


def tune(count: int, channels: int = 1, loudness: float = 2000) -> NDArray[np.int64]:
    """A falling tone with noise; the channels are alike."""
    rng, time = np.random.default_rng(count), np.arange(count)[:, None]
    tone = loudness * np.sin(time * 0.09 + 1e-6 * time**2) * np.linspace(1, 0.7, channels)
    return np.rint(tone + rng.normal(0, loudness / 90, (count, channels))).astype(np.int64)


def sound(samples: NDArray[np.int64], width: int = 3) -> Sound:
    return Sound(samples.astype(np.int32), SoundWrapper(0, width, 0, RATE))


def encoded(original: Sound, model: Model | None, **options: int) -> bytes:
    with spool() as collected:
        return sounds.encode_samples(original, model, collected, EncodeOptions(**options))[:]


def decoded(data: bytes) -> NDArray[np.int32]:
    return sounds.decode_samples(parse(data)).samples[:]


def file_of(header: SoundHeader, payloads: Iterable[bytes]) -> bytes:
    with spool() as collected:
        lengths = tuple(add_payload(payload, collected) for payload in payloads)
        return write_file(replace(header, lengths=lengths), collected)[:]


def packed(samples: NDArray[np.int64]) -> bytes:
    """A WAV file of 16 bits."""
    return wave(samples.astype("<i2").tobytes(), channels=samples.shape[1], rate=RATE)


SAMPLES = {
    "mono": tune(900),
    "stereo": tune(700, 2),
    "three channels": tune(300, 3),
    "one sample": tune(1, 2),
    "nothing": np.zeros((0, 2), np.int64),
    "two": tune(2),
    "silence": np.zeros((800, 2), np.int64),
    "constant": np.full((500, 1), -77),
    "quiet": tune(600, 1, 2),
    "noise of 16 bits": np.random.default_rng(1).integers(-32768, 32768, (400, 2)),
    "noise of 24 bits": np.random.default_rng(2).integers(-(2**23), 2**23, (400, 1)),
    "extremes": np.where(np.arange(300)[:, None] % 37 < 18, 2**23 - 1, -(2**23)),
    "one click": np.where(np.arange(600)[:, None] == 333, 30000, 0),
    "the same in both": np.repeat(tune(600), 2, 1),
    "stretches": np.concatenate([np.full((1100, 2), -9), tune(300, 2), np.full((2000, 2), [3, 2**22]), tune(50, 2)]),
    "a stretch at the end": np.concatenate([tune(130), np.zeros((3000, 1), np.int64)]),
}


@pytest.mark.parametrize(
    ("name", "budget"), [*product(SAMPLES, [2, 64]), *product(["mono", "three channels", "two", "stretches"], [5, 300])]
)
def test_samples_come_back(name: str, budget: int, sound_model: Model) -> None:
    original = sound(SAMPLES[name])
    data = encoded(original, sound_model, budget=budget)
    np.testing.assert_array_equal(decoded(data), original.samples[:])
    assert parse(data).facts["calls"] <= budget or not original.samples.shape[0]


@settings(max_examples=20)
@given(st.data())
def test_any_samples_come_back(sound_model: Model, data: st.DataObject) -> None:
    count, channels = data.draw(st.integers(0, 70)), data.draw(st.integers(1, 3))
    top = data.draw(st.sampled_from([1, 5, 300, 2**15, 2**24]))
    values = data.draw(st.lists(st.integers(-top, top), min_size=count * channels, max_size=count * channels))
    samples = np.array(values, np.int64).reshape(count, channels)
    coded = encoded(sound(samples), sound_model, budget=data.draw(st.integers(2, 90)))
    np.testing.assert_array_equal(decoded(coded), samples)


@pytest.mark.parametrize("name", ["mono", "stereo", "one sample", "two", "one click", "extremes", "stretches"])
def test_samples_come_back_in_the_spread_order(name: str, sound_model: Model) -> None:
    """The program never writes it, because it makes larger files, but the format has it."""
    data = encoded(sound(SAMPLES[name]), sound_model, period_bits=0)
    np.testing.assert_array_equal(decoded(data), SAMPLES[name])
    assert parse(data).facts["order"] == "spread"


def coded_size(samples: NDArray[np.int64], model: str | None) -> int:
    return len(sounds.encode_sound(packed(samples), budget=64, model=model))


def test_stretches_cost_less_than_files_without_them() -> None:
    parts = [tune(500, 2), np.full((RATE, 2), 17), tune(400, 2)]
    assert coded_size(np.concatenate(parts), "sound") < sum(coded_size(part, "sound") for part in parts)


@pytest.mark.parametrize(("model", "silence"), [("sound", 60), (None, 90)])
def test_silence_and_low_bits_cost_little(model: str | None, silence: int) -> None:
    assert coded_size(np.zeros((RATE, 2), np.int64), model) < silence
    loud = tune(3000) * 8  # 3 bits are always 0
    assert coded_size(loud, model) <= coded_size(loud // 8, model) + 4


@pytest.mark.parametrize("model", ["sound", None])
def test_a_plain_tone_is_small(model: str | None) -> None:
    data = packed(tune(RATE))
    noise = np.log2(2000 / 90 * np.sqrt(2 * np.pi * np.e))  # bits a sample of the noise alone
    assert 8 * len(sounds.encode_sound(data, model=model)) / RATE < noise + 0.5


@pytest.mark.parametrize(("model", "budgets"), [("sound", (2, 16, 128)), (None, (2, 4, 8))])
def test_more_calls_make_smaller_files(model: str | None, budgets: tuple[int, ...]) -> None:
    data = packed(tune(9000, 2))
    sizes = [len(sounds.encode_sound(data, budget=budget, model=model)) for budget in budgets]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("model", ["sound", None])
def test_tiles_are_independent_and_regions_decode(model: str | None) -> None:
    samples = tune(1000, 2)
    data = sounds.encode_sound(packed(samples), budget=16, sound_tile=400, model=model)
    file = parse(data)
    header, payloads = file.header, file.payloads
    assert header.tile == 400
    assert len(payloads) == 3
    assert sounds.decode_sound(data) == packed(samples)
    for start, stop in ((0, 10), (399, 401), (450, 800), (990, 1000), (700, 5000)):
        part = sounds.decode_sound(data, start=start / RATE, duration=(stop - start) / RATE)
        assert part == packed(samples[start:stop])
    with pytest.raises(OptionError, match="no sound is between start and end"):
        sounds.decode_sound(data, start=2)
    damaged = bytearray(data)
    damaged[-20] ^= 1  # in the last tile
    with pytest.raises(ChecksumError):
        sounds.decode_sound(bytes(damaged))


def test_threads_kernels_and_batches_do_not_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    made, samples, order = set(), tune(300, 2), make_sound_order(3)
    entry, shape = find_model("sound"), (300, 2)
    steps = tile_steps(None, order, shape[:1], shape[:1])
    for kernel, count, batch in product(available(), (1, 2), (7, 1024)):
        monkeypatch.setenv("OMP_NUM_THREADS", str(count))
        model = load_model(entry, kernel=kernel)
        known = analyse_tile(model, samples, order, steps)
        tile = SoundTile(model, shape, order, transform=known.transform, observed=known.wave, batch=batch)
        ((payload,),) = loop.encode(tile, steps, 1, lambda: None)
        made.add(payload)
        tile, stream = SoundTile(model, shape, order, batch=batch), Popped(payload)
        loop.decode(tile, steps, [stream], lambda: None)
        stream.finish()
        np.testing.assert_array_equal(tile.wave.samples, known.wave.samples)
    assert len(made) == 1


@pytest.fixture(scope="module", params=["sound", None], ids=["model", "learning"])
def small(request: pytest.FixtureRequest) -> bytes:
    return sounds.encode_sound(packed(tune(60, 2)), budget=8, model=request.param)


def test_every_flipped_bit_is_found(small: bytes) -> None:
    for position in range(8 * len(small)):
        damaged = bytearray(small)
        damaged[position >> 3] ^= 1 << (position & 7)
        with pytest.raises(ArdmError):
            sounds.decode_sound(bytes(damaged))


def test_every_truncation_and_trailing_byte_is_found(small: bytes) -> None:
    for length in range(len(small)):
        with pytest.raises(ArdmError):
            sounds.decode_sound(small[:length])
    with pytest.raises(ArdmError):
        sounds.decode_sound(small + b"\0")


@pytest.mark.parametrize("learns", [False, True])
def test_damage_with_repaired_checksums_ends_in_a_named_error(sound_model: Model, learns: bool) -> None:
    """Streams that say anything at all: an error or other samples, but no crash; the tile's checksum tells."""
    data = encoded(sound(tune(80, 2)), None if learns else sound_model, budget=8)
    file = parse(data)
    header, payloads = file.header, file.payloads
    payload = payloads[0]
    rng = random.Random(5)
    for _ in range(60):
        damaged = bytearray(payload)
        for _ in range(rng.randrange(1, 5)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(1, 256)
        if bytes(damaged) != payload:
            with pytest.raises(ArdmError):
                decoded(file_of(header, [bytes(damaged)]))


@settings(max_examples=60)
@given(st.data())
def test_headers_are_read_back(data: st.DataObject) -> None:
    frames, channels = data.draw(st.integers(0, 10**6)), data.draw(st.integers(1, 8))
    tile = max(1, min(frames, data.draw(st.integers(max(1, frames // 9), 1 << 20))))
    how = st.fixed_dictionaries({"model_id": st.binary(min_size=4, max_size=4), "period_bits": st.integers(0, 12)})
    learning = st.fixed_dictionaries({"model_id": st.just(b""), "profile": st.integers(0, 5)})
    header = SoundHeader(
        frames=frames, channels=channels, tile=tile, wrapper=data.draw(st.binary(min_size=1, max_size=30)),
        checksums=(7,) * -(-frames // tile), lengths=(), **data.draw(how | learning if channels <= 4 else how),
    )  # fmt: skip
    payloads = [bytes([i % 255 + 1]) * (i % 5) for i in range(header.tiles * len(header.groups))]
    whole = file_of(header, payloads)
    read, offset = read_header(whole)
    assert list(Payloads(whole, offset, read.lengths)) == payloads
    assert read == replace(header, lengths=tuple(len(payload) + 4 for payload in payloads))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (write_varint(1 << 40), FormatError),
        (write_varint(1 << 30) + write_varint(2) + bytes(4) + b"\0", LimitError),
        (write_varint(1 << 30) + write_varint(65), FormatError),
        (write_varint(1 << 29) + write_varint(3) + bytes(4) + b"\0\1\0", LimitError),
        (write_varint(50) + write_varint(1) + bytes(4) + b"\15", FormatError),
    ],
)
def test_headers_that_claim_too_much_are_refused_at_once(fields: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_header(b"ARDM\1" + bytes([SOUND]) + fields + bytes(30))


def test_many_samples_in_few_bytes_are_refused_unless_allowed() -> None:
    """Silence without end would take hours."""
    header = b"ARDM\1" + bytes([SOUND | 3]) + write_varint(1 << 28) + write_varint(2) + write_varint(1 << 20)
    with pytest.raises(LimitError, match="--max-samples 8589934592"):
        read_header(header + bytes([4, 1, 0]) + bytes(4 * 256 + 256))
    assert not DEFAULT_LIMITS.is_sparse(1 << 26, 9)
    assert not DEFAULT_LIMITS.is_sparse(1 << 28, 1 << 21)


def test_small_budgets_take_fewer_filters_and_shorter_tiles() -> None:
    some = sound(tune(3000, 2))
    facts = [parse(data).facts for data in (encoded(some, None, budget=2), encoded(some, None))]
    assert facts[0]["profile"] == 3
    assert facts[1]["profile"] in {3, 4, 5}
    assert sounds.plan_tile(EncodeOptions(budget=8), 2, learns=True) == 1 << 16
    assert sounds.plan_tile(EncodeOptions(), 2, learns=True) == 1 << 19


@settings(max_examples=30)
@given(st.data())
def test_analyses_are_read_back(sound_model: Model, data: st.DataObject) -> None:
    channels, length = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 700))
    lags, coarseness = data.draw(st.sampled_from([0, 4, 32, 64])), data.draw(st.integers(1, 12))
    rng, frames = np.random.default_rng(data.draw(st.integers(0, 999))), -(-length // 128)
    most = SINE_LIMIT // coarseness
    spectra = tuple(
        Spectrum(rng.integers(-most, most + 1, (lags, frames)) * coarseness, rng.integers(0, len(GAINS), frames))
        for _ in range(channels)
    )
    links = no_links(channels, frames)
    for channel in range(channels if channels > 1 else 0):
        used = link_mask(channels, channel)
        links[channel][used] = rng.integers(-31, 32, (used.sum(), frames)) * rng.integers(0, 2, frames)
    pitches = rng.integers(0, 2, (channels, frames)) * rng.integers(
        SHORTEST_PITCH, SHORTEST_PITCH + (1 << PITCH_BITS), (channels, frames)
    )
    stretches: list[Stretch] = []
    for gap, size in data.draw(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 300)), max_size=3)):
        start = gap + (stretches[-1].stop if stretches else 0)
        if start + size <= length:
            values = data.draw(st.tuples(*channels * [st.integers(-(2**25), 2**25)]))
            stretches.append(Stretch(start, start + size, values))
    quiet = quiet_frames(stretches, length, 128)
    spectra = tuple(hold_quiet(spectrum, quiet) for spectrum in spectra)
    links, pitches = np.where(quiet, 0, links), np.where(quiet, 0, pitches)
    known = Analysis(128, spectra, links, coarseness, pitches, tuple(stretches))
    stacks, collected, network = pushed_stacks(1), Collected(), sound_model.network
    code_analysis(collected, network, known, length, channels)
    collected.push_to(stacks)
    popped = Popped(*stacks.to_bytes())
    found = code_analysis(popped, network, None, length, channels)
    popped.finish()
    assert (found.frame, found.coarseness, found.stretches) == (128, coarseness, tuple(stretches))
    for a, b in zip(found.spectra, spectra, strict=True):
        np.testing.assert_array_equal(a.sines, b.sines)
        np.testing.assert_array_equal(a.gains, b.gains)
    np.testing.assert_array_equal(found.links, links)
    np.testing.assert_array_equal(found.pitches, pitches)


def stored(data: bytes) -> bytes:
    with spool() as collected:
        return write_stored(data, collected)[:]


@given(st.binary(max_size=200))
def test_stored_files_are_read_back(data: bytes) -> None:
    assert b"".join(parse_stored(stored(data)).parts()) == data


def test_damaged_stored_files_are_refused() -> None:
    data = stored(b"RIFF and what follows" * 9)
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position >> 3] ^= 1 << (position & 7)
        with pytest.raises(ArdmError):
            sounds.decode_sound(bytes(damaged))
    for length in range(len(data)):
        with pytest.raises(ArdmError):
            sounds.decode_sound(data[:length])


def test_floating_point_files_are_stored_and_come_back() -> None:
    data = wave(np.linspace(-1, 1, 5000).astype("<f4").tobytes(), width=4, tag=3)
    coded = sounds.encode_sound(data)
    assert coded[5] & STORED
    assert len(coded) < len(data)
    assert sounds.decode_sound(coded) == data
    with pytest.raises(UnsupportedError, match="stored"):
        sounds.decode_sound(coded, start=0.1)


def test_stored_files_are_not_converted() -> None:
    coded = sounds.encode_sound(wave(bytes(40), width=4, tag=3))
    assert sounds.decode_sound(coded, suffix=".wave") == wave(bytes(40), width=4, tag=3)
    with pytest.raises(UnsupportedError, match="as what it was"):
        sounds.decode_sound(coded, suffix=".flac")


@pytest.mark.parametrize("part", [{"start": math.inf}, {"start": math.nan}, {"start": -1}, {"duration": math.inf}])
def test_parts_that_are_no_span_are_refused(small: bytes, part: dict[str, float]) -> None:
    with pytest.raises(UnsupportedError, match="finite"):
        sounds.decode_sound(small, **part)


def test_a_part_far_beyond_the_end_is_refused_and_a_long_one_ends_with_it(small: bytes) -> None:
    with pytest.raises(OptionError, match="no sound is between start and end"):
        sounds.decode_sound(small, start=1e308)
    assert read_sound(sounds.decode_sound(small, duration=1e306)).samples.shape[0] == 60


def test_a_spectrum_that_no_sound_has_is_refused() -> None:
    """Its covariances overflow: casts of NaN differ between processors."""
    edge = Spectrum(np.full((64, 3), SINE_LIMIT), np.full(3, len(GAINS) - 1))
    with pytest.raises(FormatError, match="spectrum"):
        solve(covariances(edge, 64), -np.arange(1, 33))


def test_kinds_of_models_are_not_confused() -> None:
    with pytest.raises(UnsupportedError, match="not a model of sound"):
        sounds.encode_sound(packed(tune(50)), model="photo")
    with pytest.raises(UnsupportedError, match="not a model of images"):
        images.encode_samples(np.zeros((4, 4, 3), np.uint8), model="sound")


def test_a_budget_below_two_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="at least 2"):
        sounds.encode_sound(packed(tune(50)), budget=1)
    with pytest.raises(ValueError, match="at least 1"):
        sounds.encode_sound(packed(tune(50)), budget=0)


def test_what_surrounds_samples_and_conversion(small: bytes) -> None:
    assert not read_sound(sounds.decode_sound(small)).wrapper.kind & VERBATIM
    flac = sounds.decode_sound(small, suffix=".flac")
    assert read_sound(flac).wrapper.kind == FLAC
    again = sounds.encode_sound(flac, budget=8)
    assert sounds.decode_sound(again, suffix=".wav") == sounds.decode_sound(small)
    with pytest.raises(UnsupportedError):
        sounds.decode_sound(small, suffix=".mp3")
