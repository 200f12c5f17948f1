import pytest

from ansatz.core.precision import (
    E4M3,
    INT8,
    MXFP4,
    MXFP8,
    NVFP4,
    PRECISIONS,
    Device,
    mode,
    processor_flags,
)

PLAIN = Device("cpu")
VNNI = Device("cpu", flags=frozenset({"avx512_vnni"}))
TURING, AMPERE, ADA, HOPPER, BLACKWELL, SPARK = (
    Device("cuda", capability) for capability in ((7, 5), (8, 0), (8, 9), (9, 0), (10, 0), (12, 1))
)


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [
        ("fp32", PLAIN, "native"),
        ("tf32", PLAIN, "emulated"),
        ("tf32", AMPERE, "native"),
        ("bf16", PLAIN, "emulated"),
        ("bf16", Device("cpu", flags=frozenset({"avx512_bf16"})), "native"),
        ("int8", PLAIN, "emulated"),
        ("int8", VNNI, "native"),
        ("int8", TURING, "native"),
        ("fp8", VNNI, "emulated"),
        ("fp8", AMPERE, "storage"),
        ("fp8", ADA, "native"),
        ("nvfp4", VNNI, "emulated"),
        ("nvfp4", HOPPER, "storage"),
        ("nvfp4", BLACKWELL, "native"),
        ("mxfp8", HOPPER, "storage"),
        ("mxfp4", SPARK, "native"),
    ],
)
def test_devices_multiply_what_their_units_are_made_for(name, device, expected):
    assert mode(PRECISIONS[name], device) == expected


def test_rounding_weights_alone_is_a_matter_of_storage_everywhere():
    for name, precision in PRECISIONS.items():
        if name.endswith("-weights"):
            assert {mode(precision, d) for d in (PLAIN, VNNI, ADA, BLACKWELL)} == {"storage"}


@pytest.mark.parametrize(
    ("form", "bits"), [(E4M3, 8), (INT8, 8), (NVFP4, 4.5), (MXFP8, 8.25), (MXFP4, 4.25)]
)
def test_a_format_takes_its_elements_and_their_share_of_scales(form, bits):
    rows, columns = 64, 4096
    elsewhere = 4 * rows if form.scale == "row" else 4 * form.has_global_scale
    assert form.bytes(rows, columns) == rows * columns * bits / 8 + elsewhere


def test_blocks_at_the_end_of_a_row_are_whole():
    assert NVFP4.bytes(10, 17) == NVFP4.bytes(10, 32)


def test_a_processor_of_linux_tells_its_instruction_sets():
    assert all(flag == flag.strip() and " " not in flag for flag in processor_flags())
