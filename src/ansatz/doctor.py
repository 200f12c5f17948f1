"""`ansatz doctor`: what this machine can do, and what each precision really does on it."""

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator
from typing import get_args

import psutil
import torch

from ansatz.core.artifacts import machine, versions
from ansatz.core.places import home
from ansatz.core.recipe import Precision
from ansatz.trainer.precision import arithmetic

EXTRAS = {
    "serve": ("fastapi", "uvicorn", "prometheus_client", "multipart"),
    "tensorboard": ("tensorboard",),
}
TOOLS = {
    "simpleFoam": "OpenFOAM, for `check with=openfoam`: apt-get install openfoam",
    "sbatch": "Slurm",
    "kubectl": "Kubernetes",
}
PORT = 8000


def examine() -> Iterator[str]:
    """Lines about the machine, devices, precisions, packages, tools and places."""
    about = machine()
    memory = psutil.virtual_memory().total / 2**30
    yield f"machine     {about['processor']}, {about['cores']} cores, {memory:.0f} GiB"
    yield "versions    " + ", ".join(f"{name} {text}" for name, text in versions().items())
    yield from devices()
    yield from packages()
    for tool, purpose in TOOLS.items():
        path = shutil.which(tool)
        yield f"{tool:<11} {path or f'not found ({purpose})'}"
    yield from places()


def devices() -> Iterator[str]:
    """The devices, and what each precision does there."""
    found = [torch.device("cpu")]
    found += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    for device in found:
        title = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        yield f"{device!s:<11} {title}"
        for precision in get_args(Precision):
            yield f"  {precision:<9} {arithmetic(precision, device).note}"
    if len(found) == 1:
        yield "  no GPU: torch sees none"


def packages() -> Iterator[str]:
    """The extras, and what is missing of them."""
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        state = "installed" if not missing else f"missing: pip install 'ansatz-ai[{extra}]'"
        yield f"{extra:<11} {state}"


def places() -> Iterator[str]:
    """The cache, and the port of the server."""
    folder = home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    able = "writable" if os.access(existing, os.W_OK) else "NOT writable: set ANSATZ_HOME"
    yield f"cache       {folder} ({able}, {free:.0f} GB free)"
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", PORT)) == 0
    yield f"port {PORT}   {'taken: serve with port=...' if taken else 'free'}"
