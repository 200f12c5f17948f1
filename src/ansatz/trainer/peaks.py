"""What devices could compute at most, to say what share of it a run does (MFU).

Floating-point operations per second of dense matrix products, with the clock at its boost:

    H100 SXM   NVIDIA H100 Tensor Core GPU Architecture (2022), table 3
    H200 SXM   NVIDIA H200 Tensor Core GPU datasheet (2024): the H100's, with more memory
    A100       NVIDIA A100 Tensor Core GPU Architecture (2020), table 1; PCIe and SXM alike

Names are as the driver has them, whole: a PCIe card, an NVL pair or a slice of an H100 is slower.
"""

import torch

from ansatz.trainer.precision import Arithmetic

HOPPER = {"fp16": 989.4e12, "tf32": 494.7e12, "fp32": 66.9e12, "fp64": 66.9e12}
AMPERE = {"fp16": 312e12, "tf32": 156e12, "fp32": 19.5e12, "fp64": 19.5e12}
PEAKS = {
    "NVIDIA H100 80GB HBM3": HOPPER,
    "NVIDIA H200": HOPPER,
    "NVIDIA A100-SXM4-40GB": AMPERE,
    "NVIDIA A100-SXM4-80GB": AMPERE,
    "NVIDIA A100-PCIE-40GB": AMPERE,
    "NVIDIA A100 80GB PCIe": AMPERE,
}


def peak(arithmetic: Arithmetic) -> float | None:
    """Operations per second that the device of a run could reach in its arithmetic.

    Returns:
        None for a device that is not in the table, as any processor.
    """
    if arithmetic.device.type != "cuda":
        return None
    return peak_of(torch.cuda.get_device_name(arithmetic.device), arithmetic)


def peak_of(device: str, arithmetic: Arithmetic) -> float | None:
    """The same for a name of the driver's."""
    if arithmetic.autocast_dtype is not None:
        units = "fp16"  # bfloat16 is as fast
    elif arithmetic.dtype is torch.float64:
        units = "fp64"
    else:
        units = "tf32" if arithmetic.uses_tf32 else "fp32"
    return PEAKS[device][units] if device in PEAKS else None
