"""Damage that checksums of the bytes do not see: it must not give wrong pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from headers import header_of
from pictures import Samples

from ardm_compress.ardm.schedule import planned_runs
from ardm_compress.codec import images
from ardm_compress.container import sample_checksum
from ardm_compress.container.image import read_file, write_file
from ardm_compress.errors import ChecksumError, FormatError, UnsupportedError
from ardm_compress.inference import find_model
from ardm_compress.inference.network import Model


def rewritten(data: bytes, payloads: dict[int, bytes] | None = None, **changes: object) -> bytes:
    """The file with other payloads or another header, and right checksums over its bytes."""
    header, old = read_file(data)
    new = [(payloads or {}).get(i, payload) for i, payload in enumerate(old)]
    return write_file(replace(header, **changes), new)


@pytest.fixture(scope="module")
def small_files(photo: Samples) -> dict[str, bytes]:
    """Files of 14x18 pixels: one section, and tiles and sections."""
    small = photo[:14, :18]
    return {
        "whole": images.encode_samples(small, budget=3),
        "cut": images.encode_samples(small, budget=3, tile=16, sections_from=1),
    }


def refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        images.decode_samples(data)


@pytest.mark.parametrize("name", ["whole", "cut"])
def test_a_rewritten_file_is_the_file(small_files: dict[str, bytes], name: str) -> None:
    """So that the refusals below are due to the damage, not to the rewriting."""
    assert rewritten(small_files[name]) == small_files[name]


def test_no_flipped_bit_of_a_payload_gives_wrong_pixels(small_files: dict[str, bytes]) -> None:
    payload = read_file(small_files["whole"])[1][0]
    for at in {*range(0, len(payload), 20), *range(len(payload) - 6, len(payload))}:
        damaged = bytearray(payload)
        damaged[at] ^= 1 << at % 8
        refused(rewritten(small_files["whole"], {0: bytes(damaged)}))


@pytest.mark.parametrize("name", ["whole", "cut"])
def test_no_lost_or_added_byte_of_a_payload_gives_wrong_pixels(small_files: dict[str, bytes], name: str) -> None:
    for number, payload in enumerate(read_file(small_files[name])[1]):
        for damaged in {b"", payload[:-1], payload[1:], payload + b"\x01"}:
            if damaged != payload:
                refused(rewritten(small_files[name], {number: damaged}))


def test_swapped_payloads_do_not_give_wrong_pixels(small_files: dict[str, bytes]) -> None:
    payloads = read_file(small_files["cut"])[1]
    last = len(payloads) - 1
    refused(rewritten(small_files["cut"], {last: payloads[last - 1], last - 1: payloads[last]}))


def test_other_samples_than_were_encoded_are_a_checksum_error(small_files: dict[str, bytes]) -> None:
    header = header_of(small_files["cut"])
    wrong = (*header.checksums[:-1], header.checksums[-1] ^ 1)
    with pytest.raises(ChecksumError, match="tile 1 decoded to other samples") as caught:
        images.decode_samples(rewritten(small_files["cut"], checksums=wrong))
    assert caught.value.section == "tile 1"


def test_the_checksum_of_the_samples_is_their_crc_in_raster_order(photo: Samples) -> None:
    samples = photo[:5, :7]
    assert header_of(images.encode_samples(samples, budget=1)).checksums == (sample_checksum(samples.tobytes()),)
    assert sample_checksum(b"123456789") == 0xCBF43926  # the check value of CRC-32/ISO-HDLC


@pytest.mark.parametrize("channels", [1, 3])
def test_another_number_of_channels_does_not_decode(small_files: dict[str, bytes], channels: int) -> None:
    if header_of(small_files["whole"]).channels != channels:
        refused(rewritten(small_files["whole"], channels=channels))


def test_another_schedule_does_not_decode(small_files: dict[str, bytes], model: Model) -> None:
    header = header_of(small_files["whole"])
    assert header.runs == 3
    runs = planned_runs(3, model.order, model.costs, header.tile)
    assert runs is not None
    for other in (
        (runs[0] + 1, runs[1] - 1, *runs[2:]),  # a boundary moved by one
        (*runs[:-1], runs[-1] + 1),  # a rank too many
        (sum(runs),),
        None,
        2,
        4,
        sum(runs),  # planned, and as many as ranks
    ):
        refused(rewritten(small_files["whole"], runs=other))


def test_a_planned_schedule_may_as_well_be_given(small_files: dict[str, bytes], model: Model) -> None:
    header = header_of(small_files["whole"])
    given = rewritten(small_files["whole"], runs=planned_runs(3, model.order, model.costs, header.tile))
    assert len(given) > len(small_files["whole"])
    np.testing.assert_array_equal(images.decode_samples(given), images.decode_samples(small_files["whole"]))


def test_another_model_is_unsupported(
    monkeypatch: pytest.MonkeyPatch, small_files: dict[str, bytes], model: Model
) -> None:
    assert header_of(small_files["whole"]).model_id == find_model("photo").model_id == model.model_id
    monkeypatch.undo()
    with pytest.raises(UnsupportedError, match=r"needs model 00c0ffee, which is not in .*models.*ARDM_COMPRESS_MODELS"):
        images.decode_samples(rewritten(small_files["whole"], model_id=bytes.fromhex("00c0ffee")))


def test_a_style_that_the_model_lacks_does_not_decode(small_files: dict[str, bytes], model: Model) -> None:
    for style in (model.config.styles, 31):
        refused(rewritten(small_files["whole"], style=style))


def test_latents_that_the_model_lacks_do_not_decode(small_files: dict[str, bytes], model: Model) -> None:
    latents = (0,) * model.config.latents + (1,)
    refused(rewritten(small_files["whole"], latents=(latents,)))


def test_other_latents_than_were_encoded_do_not_decode(small_files: dict[str, bytes]) -> None:
    refused(rewritten(small_files["whole"], latents=((127,),)))
