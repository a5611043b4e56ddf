"""docs/format.md is true: readers written from it agree with the package, and what it quotes is what the code has."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from itertools import chain, pairwise
from math import ceil, prod
from pathlib import Path

import numpy as np
import pytest
import reader
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from oa.rows import SymbolEncoder
from safetensors.numpy import load_file

from ardm_compress.ardm import make_order
from ardm_compress.ardm.schedule import planned_runs, tile_steps
from ardm_compress.codec.images import decode_samples, encode_samples
from ardm_compress.coding.image import encode_tiles
from ardm_compress.coding.models import load_model
from ardm_compress.coding.sound import side, spectrum
from ardm_compress.container import Payloads, crc, sample_checksum
from ardm_compress.container import image as container
from ardm_compress.container import picture as image_container
from ardm_compress.container import sound as sound_container
from ardm_compress.container.image import Header, write_file, write_wrapped
from ardm_compress.container.picture import RAW, PictureHeader, parse_picture
from ardm_compress.container.sound import SoundHeader
from ardm_compress.container.stored import parse_stored, stored
from ardm_compress.container.wrappers import write_image_wrapper, write_sound_wrapper
from ardm_compress.errors import ArdmError, FormatError, LimitError
from ardm_compress.files import spool, write_chunks
from ardm_compress.formats.contents import PNG, ImageWrapper, SoundWrapper
from ardm_compress.inference import ModelFile, find_model
from ardm_compress.inference import config as grids
from ardm_compress.inference.config import NetworkConfig
from ardm_compress.inference.network import Model
from ardm_compress.options import DEFAULT_LIMITS
from ardm_compress.training.defaults import sound_network
from ardm_compress.training.export import save_model

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "format.md").read_text("utf-8")
FULL = 1 << 24


def fenced(name: str) -> str:
    """The document's block that is fenced as ``name``."""
    found = re.findall(rf"^```{re.escape(name)}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, name
    return found[0]


def numbers(name: str) -> list[list[int]]:
    return [[int(word) for word in line.split()] for line in fenced(name).splitlines()]


def section(number: str) -> str:
    found = re.search(rf"^#+ {re.escape(number)} .*?(?=^#+ |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, number
    return found[0]


def rows(number: str) -> list[list[str]]:
    """The cells of a section's tables, the lines under the headings left out."""
    lines = [line for line in section(number).splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


# The worked examples: after a change run pytest, which prints the hexadecimal that section 12 should have.


def worked_examples() -> dict[str, bytes]:
    """What section 12 shows, made by the package; no byte depends on a model."""
    model_id = bytes.fromhex("00112233")
    pixel = bytes([200, 100, 50])
    stack = SymbolEncoder()
    digits = [digit for sample in pixel for digit in divmod(sample, 16)]
    stack.push(np.array(digits, np.int32), np.full((6, 16), FULL // 16 - 1, np.float32))
    one_pixel = Header(
        shape=(1, 1), channels=3, model_id=model_id, tile=(1, 1), sections=1, runs=None,
        checksums=(sample_checksum(pixel),), lengths=(),
    )  # fmt: skip
    every_field = Header(
        shape=(2, 300), channels=1, model_id=model_id, tile=(2, 150), sections=2, runs=(27, 5),
        checksums=(0x11223344, 0x55667788), lengths=(),
    )  # fmt: skip
    made_up = [bytes.fromhex(payload) for payload in ("a1", "a2a3", "b1b2b3b4b5", "")]
    skewed = SymbolEncoder()
    skewed.push(np.array([2, 3, 1, 0], np.int32), np.tile(np.float32([FULL - 8, 0, 1, 3]), (4, 1)))
    white = PictureHeader(
        shape=(2, 3), tile=(2, 3), wrapper=write_image_wrapper(ImageWrapper(PNG, 1, 1)),
        checksums=(sample_checksum(bytes([1, 1, 1, 0, 0, 0])),), lengths=(),
    )  # fmt: skip
    timed = write_image_wrapper(ImageWrapper(PNG, 8, 3, 2, write_chunks([(b"tIME", b"")])))
    silent = SoundHeader(
        frames=0, channels=1, model_id=model_id, tile=1, period_bits=9,
        wrapper=write_sound_wrapper(SoundWrapper(0, 2, 0, 8000)), checksums=(), lengths=(),
    )  # fmt: skip
    with spool() as nothing:
        sound = sound_container.write_file(silent, nothing)[:]
    return {
        "12.4": stored(b"hello"),
        "12.5": image_container.write_file(white, [bytes([RAW, 0b11100000])]),
        "12.6": write_wrapped(timed, write_file(one_pixel, [stack.to_bytes()])),
        "12.7": sound,
        "12.1": write_file(one_pixel, [stack.to_bytes()]),
        "12.2": write_file(every_field, made_up),
        "12.3": skewed.to_bytes(),
    }


@pytest.mark.parametrize("number", [f"12.{n}" for n in range(1, 8)])
def test_the_worked_examples_are_what_the_package_writes(number: str) -> None:
    shown = [re.split(" {2,}", line)[0] for line in fenced(f"hex {number}").splitlines()]
    assert " ".join(shown) == worked_examples()[number].hex(" ")


def test_the_one_pixel_file_decodes_by_hand() -> None:
    file = reader.read_file(worked_examples()["12.1"])
    stack = reader.AnsDecoder(file["payloads"][0])
    states = []
    for row in rows("12.1")[1:-1]:
        states.append(f"0x{stack.state:X}")
        assert [states[-1], f"{stack.pop(reference.ROOT):X}"] == row
    assert stack.is_empty()


def test_the_example_with_every_field_has_the_steps_it_says() -> None:
    header, _ = container.read_file(worked_examples()["12.2"])
    assert tile_steps(header.runs, make_order("spread", axes=2), header.tile, (2, 150)) == [(0, 358), (358, 384)]


def test_the_second_reader_reads_files_of_every_kind_as_the_package_does() -> None:
    golden = [path.read_bytes() for path in (ROOT / "tests" / "golden").glob("*.ardm")]
    seen = set()
    for data in [*golden, *worked_examples().values()]:
        if data[:4] != b"ARDM":
            continue
        seen.add(data[5] & 0b11000011 if data[5] & 3 != 1 else data[5])
        if data[5] in (194, 196):
            continue  # test_jpeg_format.py, test_text_format.py
        if data[5] >= 192:
            assert reader.read_stored(data) == b"".join(parse_stored(data).parts())
        elif data[5] >= 128:
            header, offset = sound_container.read_header(data)
            payloads = Payloads(data, offset, header.lengths)
            order = header.period_bits if header.model_id else header.profile
            assert reader.read_sound(data) == {
                "length": header.frames, "channels": header.channels, "model": header.model_id, "tile": header.tile,
                "order": order, "wrapper": header.wrapper, "checksums": list(header.checksums),
                "payloads": list(payloads),
            }  # fmt: skip
        elif data[5] == 9:
            wrapper, file = container.read_wrapped(data)
            assert reader.read_wrapped(data) == (wrapper, file[:])
            assert both_read(file[:])
        elif data[5] & 3 == 1:
            picture = parse_picture(data, DEFAULT_LIMITS)
            shown = picture.header
            assert reader.read_picture(data) == {
                "height": shown.shape[0], "width": shown.shape[1], "tile": shown.tile, "wrapper": shown.wrapper,
                "checksums": list(shown.checksums), "payloads": list(picture.payloads),
            }  # fmt: skip
        else:
            assert both_read(data)
    assert seen >= {0, 2, 1, 9, 128, 193}


def test_the_states_of_the_example_stack() -> None:
    stack = reader.AnsDecoder(worked_examples()["12.3"])
    left = reader.cumulative([FULL - 7, 1, 2, 4])
    for before, q, digit, after, _ in rows("12.3")[1:]:
        assert (hex(stack.state), hex(stack.state % FULL)) == (before, q)
        assert (stack.pop(left), hex(stack.state)) == (int(digit), after)
    assert stack.is_empty()


# What the document quotes.


def test_the_cell_and_its_construction_are_those_of_the_spread_order() -> None:
    cell = make_order("spread", axes=2).cell.tolist()
    assert numbers("cell") == cell
    assert numbers("bayer") == reference.BAYER
    assert reference.spread_cell().tolist() == cell
    bits = [[(j ^ i) & 1, i & 1, (j ^ i) >> 1, i >> 1] for i in range(4) for j in range(4)]
    assert list(chain(*numbers("bayer"))) == [8 * a + 4 * b + 2 * c + d for a, b, c, d in bits]


def test_the_constants_of_section_7_are_those_of_the_code() -> None:
    code = vars(grids)
    constants = {name: value for name, value in code.items() if name.isupper() and type(value) is int}
    assert {name: int(value) for name, value, _ in rows("7.1")[1:]} == constants


def test_the_windows_weights_and_thresholds_are_those_of_the_configuration() -> None:
    config = NetworkConfig(axes=2, channels=3, bit_depth=8)
    (thresholds,) = numbers("thresholds")
    assert thresholds == config.scale_thresholds.tolist() == reference.THRESHOLDS
    heading, weights = rows("6.2")
    table = dict(zip(heading[1:], map(int, weights[1:]), strict=True))
    assert table.pop("more") == 1
    distances = (config.offsets**2).sum(1).tolist()
    assert [table.get(str(d), 1) for d in distances] == config.weights.tolist()
    assert len(distances) == 60
    assert config.weights.sum() == 400


def test_the_configuration_of_section_10_is_that_of_the_model(decoder: reference.Model) -> None:
    shown = {row[0]: row[1].strip('"') for row in rows("10") if len(row) == 3}
    assert {name: shown[name] for name in decoder.config} == {k: str(v).lower() for k, v in decoder.config.items()}


def test_the_tables_of_the_model_have_the_checksums_of_section_10() -> None:
    tensors = load_file(find_model("photo").file)
    shown = {row[0]: int(row[2], 16) for row in rows("10") if row[-1].startswith("0x")}
    assert len(shown) == 3
    assert shown == {name: zlib.crc32(tensors[name].tobytes()) for name in shown}


def test_the_sections_that_the_code_names_exist() -> None:
    named = [
        int(number)
        for file in (ROOT / "ardm_compress").rglob("*.py")
        for reference_ in re.findall(r"format\.md sections? ([\d, toand\n]+)", file.read_text("utf-8"))
        for number in re.findall(r"\d+", reference_)
    ]
    assert len(named) >= 9
    headings = {int(number) for number in re.findall(r"^## (\d+) ", DOCUMENT, re.MULTILINE)}
    assert headings == set(range(1, 18))
    assert set(named) <= headings


# Containers.

sides = st.one_of(st.integers(1, 300), st.integers(1, 1 << 10))


latents = st.builds(
    lambda values, last: (*values, last),
    st.lists(st.integers(-127, 127), max_size=40),
    st.integers(1, 127) | st.integers(-127, -1),
) | st.just(())


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file with any header and payloads that mean nothing."""
    shape = draw(st.one_of(st.tuples(sides, sides), st.just((1, 1 << 20)), st.just((1 << 20, 1))))
    tile = tuple(ceil(side / draw(st.integers(1, 3))) for side in shape)
    sections = draw(st.sampled_from([1, 1, 2, 5, 20]))
    tiles = prod(ceil(side / part) for side, part in zip(shape, tile, strict=True))
    count = tiles * sections
    checksum = st.integers(0, (1 << 32) - 1)
    runs = draw(
        st.none()
        | st.integers(1, 1 << 16)
        | st.lists(st.integers(1, 1 << 40) | st.integers(1, 9), min_size=1, max_size=12).map(tuple)
    )
    header = Header(
        shape=shape, channels=draw(st.sampled_from([1, 3])), model_id=draw(st.binary(min_size=4, max_size=4)),
        tile=tile, sections=sections, progressive=sections > 1 and draw(st.booleans()), runs=runs, lengths=(),
        style=draw(st.integers(0, 31)), mirror=draw(st.integers(0, 3)),
        latents=tuple(draw(latents) for _ in range(tiles)) if draw(st.booleans()) else (),
        checksums=tuple(draw(st.lists(checksum, min_size=tiles, max_size=tiles))),
    )  # fmt: skip
    return write_file(header, draw(st.lists(st.binary(max_size=200), min_size=count, max_size=count)))


def package_reads(data: bytes) -> dict[str, object]:
    """The package's reading, in the form of ``reader.read_file``."""
    header, payloads = container.read_file(data)
    return {
        "height": header.shape[0], "width": header.shape[1], "channels": header.channels, "model": header.model_id,
        "tile": header.tile, "sections": header.sections, "reverse": header.progressive,
        "runs": list(header.runs) if isinstance(header.runs, tuple) else header.runs,
        "style": header.style, "mirror": header.mirror, "latents": [list(given) for given in header.latents],
        "checksums": list(header.checksums), "payloads": list(payloads),
    }  # fmt: skip


def both_read(data: bytes) -> bool:
    """Check that both readers say the same, and return whether they accept the file."""
    try:
        expected = package_reads(data)
    except LimitError:  # the document leaves limits to the reader
        return False
    except ArdmError:
        with pytest.raises(reader.RefusedError):
            reader.read_file(data)
        return False
    assert reader.read_file(data) == expected
    return True


@given(files())
def test_both_readers_read_what_is_written(data: bytes) -> None:
    assert both_read(data)


@given(files(), st.data())
def test_both_readers_refuse_damage(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    damaged = bytes([*data[:at], data[at] ^ draw.draw(st.integers(1, 255)), *data[at + 1 :]])
    assert not both_read(damaged)
    assert not both_read(data[:at])
    assert not both_read(data + b"\0")


@given(files(), st.data())
def test_both_readers_agree_on_headers_with_a_valid_checksum(data: bytes, draw: st.DataObject) -> None:
    """Fields out of range, numbers that are too long and unknown flags are refused though the checksum is right."""
    header, end = container.read_header(data)
    single = len(header.lengths) == 1
    at = draw.draw(st.integers(0, min(end - 1, 24)))
    count = draw.draw(st.integers(0, 2))  # bytes to replace
    changed = data[:at] + draw.draw(st.binary(max_size=3)) + data[at + count : -4 if single else end - 4]
    both_read(changed + crc(changed) + (b"" if single else data[end:]))


@pytest.mark.parametrize(
    ("at", "field"),
    [(6, "8600"), (6, "8180808000"), (6, "818080808001"), (6, "00"), (6, "818040"), (5, "01"), (5, "20"), (4, "02")],
    ids=["not shortest", "not shortest, long", "six bytes", "zero", "over 2^20", "two channels", "bit 5", "version 2"],
)
def test_both_readers_refuse_what_section_3_says(at: int, field: str) -> None:
    data = worked_examples()["12.1"][:-4]
    changed = data[:at] + bytes.fromhex(field) + data[at + 1 :]
    assert not both_read(changed + crc(changed))


# Stacks.


@st.composite
def digits_and_frequencies(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    """Digits of one alphabet, and frequencies of sum 2^24, each at least 1."""
    m, n = draw(st.integers(2, 20)), draw(st.integers(1, 12))
    cuts = st.lists(st.integers(0, FULL - m) | st.sampled_from([0, 1, FULL - m]), min_size=m - 1, max_size=m - 1)
    edges = [[0, *sorted(draw(cuts)), FULL - m] for _ in range(n)]
    frequencies = [[b - a + 1 for a, b in pairwise(e)] for e in edges]
    return draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n)), frequencies


@given(st.lists(digits_and_frequencies(), max_size=6))
def test_stacks_are_those_of_section_9(batches: list[tuple[list[int], list[list[int]]]]) -> None:
    encoder = SymbolEncoder()
    for digits, frequencies in reversed(batches):
        encoder.push(np.array(digits, np.int32), np.array(frequencies, np.float32) - np.float32(1))
    payload = encoder.to_bytes()
    digits = [digit for batch, _ in batches for digit in batch]
    lefts = [reader.cumulative(row) for _, frequencies in batches for row in frequencies]
    assert reader.ans_encode(digits, lefts) == payload
    decoder = reader.AnsDecoder(payload)
    assert [decoder.pop(left) for left in lefts] == digits
    assert decoder.is_empty()


# Orders and steps.

small = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(small)
def test_ranks_are_those_of_section_5(shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(reference.rank_map(*shape), make_order("spread", axes=2).rank_map(shape))


@given(small, small, st.data())
def test_steps_are_those_of_section_5(tile: tuple[int, int], other: tuple[int, int], draw: st.DataObject) -> None:
    order = make_order("spread", axes=2)
    shape = min(tile[0], other[0]), min(tile[1], other[1])
    count = int((order.sizes(tile) > 0).sum())
    cuts = sorted(draw.draw(st.sets(st.integers(1, count - 1), max_size=5))) if count > 1 else []
    edges = [0, *cuts, count]
    runs = [b - a for a, b in pairwise(edges) if b > a]
    header = Header(
        shape=tile, channels=1, model_id=b"", tile=tile, sections=1, runs=tuple(runs), checksums=(), lengths=()
    )
    assert tile_steps(header.runs, order, header.tile, shape) == reference.steps_of(tile, shape, runs)


# Whole files.


@pytest.fixture(scope="module")
def decoder() -> reference.Model:
    """The newest model, as the second decoder reads it."""
    return reference.Model(find_model("photo").file)


def picture(*shape: int, low: int = 0, high: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.uint8)


def smooth(*shape: int) -> np.ndarray:
    y, x, c = np.mgrid[tuple(slice(side) for side in shape)]
    return (40 + 3 * y + 2 * x + 30 * c + picture(*shape, high=5)).astype(np.uint8)


def outlier(*shape: int) -> np.ndarray:
    samples = np.full(shape, 128, np.uint8)
    samples[shape[0] // 2, shape[1] // 2] = [255, 0, 255][: shape[2]]
    return samples


PICTURES = {
    "smooth": smooth(9, 7, 3),
    "gray": smooth(9, 7, 1),
    "noise": picture(9, 7, 3),
    "black and white": 255 * picture(7, 9, 3, high=2),
    "constant": np.full((8, 5, 3), 255, np.uint8),
    "outlier": outlier(9, 9, 3),
    "one row": smooth(1, 33, 3),
    "one pixel": picture(1, 1, 3),
}


def test_the_second_decoder_gives_the_known_answer(decoder: reference.Model) -> None:
    assert reference.known_answer(decoder) == decoder.known_answer


@settings(max_examples=25)
@given(small, st.data())
def test_plans_are_those_of_section_5(
    decoder: reference.Model, model: Model, shape: tuple[int, int], draw: st.DataObject
) -> None:
    ranks = int((model.order.sizes(shape) > 0).sum())
    steps = draw.draw(st.integers(1, ranks + 1))
    if steps < ranks:
        runs = planned_runs(steps, model.order, model.costs, shape)
        assert list(runs or ()) == reference.planned(decoder, shape, steps)
        return
    with pytest.raises(reader.RefusedError):
        reference.planned(decoder, shape, steps)
    with pytest.raises(FormatError, match="schedule"):
        planned_runs(steps, model.order, model.costs, shape)


@pytest.mark.parametrize("shape", [(1, 3000), (2, 900)])  # more levels than a model has costs of
@pytest.mark.parametrize("steps", [1, 5])
def test_plans_of_long_tiles_are_those_of_section_5(
    decoder: reference.Model, model: Model, shape: tuple[int, int], steps: int
) -> None:
    assert list(planned_runs(steps, model.order, model.costs, shape) or ()) == reference.planned(decoder, shape, steps)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("budget", [1, 6, 1000])
def test_the_second_decoder_decodes(decoder: reference.Model, name: str, budget: int) -> None:
    data = encode_samples(PICTURES[name], budget=budget)
    assert both_read(data)
    np.testing.assert_array_equal(reference.decode(data, decoder), PICTURES[name])


def test_the_second_decoder_cuts_a_step_into_sections_and_blocks(decoder: reference.Model) -> None:
    samples = picture(148, 150, 1, high=40)
    data = encode_samples(samples, budget=1)
    file = reader.read_file(data)
    ranks = reference.rank_map(148, 150)
    blocks = [len(positions) for _, positions in reference.blocks_of(ranks, (0, int(ranks.max()) + 1))]
    assert (file["sections"], blocks[-2]) == (5, 1 << 14)  # more than a block on level 0
    np.testing.assert_array_equal(reference.decode(data, decoder), samples)


def encode_tiled(
    model: Model, samples: np.ndarray, tile: tuple[int, int], sections: int, runs: tuple[int, ...] | None
) -> bytes:
    """A file with tiles much smaller than ``encode`` makes them."""
    header = Header(
        shape=samples.shape[:2], channels=samples.shape[2], model_id=model.model_id, tile=tile, sections=sections,
        style=sections % model.config.styles, mirror=sections % 4, runs=runs, checksums=(), lengths=(),
    )  # fmt: skip
    parts = [samples[header.tile_box(i)] for i in range(prod(header.grid))]
    some = tuple((-1) ** k * (k % 100 + 1) for k in range(model.config.latents))
    header = replace(header, latents=tuple(some[:i] for i in range(len(parts))))
    steps = [tile_steps(header.runs, model.order, header.tile, part.shape[:2]) for part in parts]
    coded = [
        encode_tiles(model, part[None], step, sections, lambda: None, [header.conditioning(i)])[0]
        for i, (part, step) in enumerate(zip(parts, steps, strict=True))
    ]
    header = replace(header, checksums=tuple(sample_checksum(part.tobytes()) for part in parts))
    return write_file(header, [payloads[s] for s in range(sections) for payloads in coded])


@pytest.mark.parametrize("sections", [1, 2, 3, 7])
def test_the_second_decoder_decodes_tiles(decoder: reference.Model, model: Model, sections: int) -> None:
    samples = smooth(17, 21, 3)  # tiles of 8x10, 8x1, 1x10 and 1x1, of 4, 3, 4 and 0 levels
    count = int((model.order.sizes((8, 10)) > 0).sum())
    data = encode_tiled(model, samples, (8, 10), sections, (20, 3, count - 30, 7))
    assert both_read(data)
    np.testing.assert_array_equal(decode_samples(data), samples)
    np.testing.assert_array_equal(reference.decode(data, decoder), samples)


@pytest.mark.parametrize("gain", [5, 200, 5000])
def test_clamps_and_empty_mixtures_are_those_of_the_document(tmp_path: Path, gain: int) -> None:
    """A trained model stays within its limits: one with larger outputs reaches every clamp of sections 7 and 8."""
    entry = find_model("photo")
    tensors = load_file(entry.file)
    for channel in range(3):
        tensors[f"heads.{channel}.outer.multiplier"] *= gain
    file = tmp_path / "wild.safetensors"
    config = reference.Model(entry.file).config
    digest = save_model(file, NetworkConfig(**config), tensors)
    model = load_model(ModelFile(name="wild", file=file, sha256=digest, order="spread", period=8))
    wild = reference.Model(file)
    assert reference.known_answer(wild) == wild.known_answer
    for samples in PICTURES.values():
        runs = (int((model.order.sizes(samples.shape[:2]) > 0).sum()),)
        data = encode_tiled(model, samples, samples.shape[:2], 1, runs if runs[0] else None)
        np.testing.assert_array_equal(reference.decode(data, wild), samples)


def test_the_tables_of_sound_are_those_of_section_13() -> None:
    shown = {name: numbers(name)[0] for name in ("usual", "carry", "spread", "linkspread")}
    assert (shown["usual"] + 16 * [0, -16]) == side.USUAL_SINES.tolist()
    assert (shown["carry"] + 45 * [10]) == side.SINE_CARRY.tolist()
    assert (shown["spread"] + 32 * [22]) == side.SINE_SPREAD.tolist()
    assert shown["linkspread"] == side.LINK_SPREAD.tolist()
    for table in (spectrum.SINES, spectrum.GAINS):
        assert f"0x{zlib.crc32(table.astype('<i8').tobytes()):08x}" in section("13.4")
    assert sound_network(192, 3).inputs == 48 * 3 + 2 * 31
