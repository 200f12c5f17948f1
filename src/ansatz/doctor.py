"""`ansatz doctor`: what this machine can do, and what each precision really does on it."""

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator

import psutil
import torch

from ansatz.core.artifacts import machine, versions
from ansatz.core.places import home
from ansatz.core.precision import PRECISIONS, mode
from ansatz.engine.precision.applying import device_like, on_device
from ansatz.server.settings import Settings
from ansatz.trainer.precision import arithmetic

Line = tuple[str, str]
EXTRAS = {
    "serve": ("fastapi", "uvicorn", "prometheus_client", "multipart"),
    "tensorboard": ("tensorboard",),
}
TOOLS = {
    "simpleFoam": "OpenFOAM, for `check with=openfoam`: apt-get install openfoam",
    "sbatch": "Slurm",
    "kubectl": "Kubernetes",
}
PORT = Settings.port


def examine() -> Iterator[Line]:
    """Topics and what there is to say: machine, devices, precisions, packages, tools, places."""
    about = machine()
    memory = psutil.virtual_memory().total / 2**30
    yield "machine", f"{about['processor']}, {about['cores']} cores, {memory:.0f} GiB"
    yield "versions", ", ".join(f"{name} {text}" for name, text in versions().items())
    yield from devices()
    yield from packages()
    for tool, purpose in TOOLS.items():
        yield tool, shutil.which(tool) or f"not found ({purpose})"
    yield from places()


def devices() -> Iterator[Line]:
    """The devices, and what each precision does there."""
    found = [torch.device("cpu")]
    found += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    for device in found:
        title = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        yield str(device), title
        for precision in PRECISIONS.values():
            known = device_like(device)
            if precision.weights is None:
                note = f"{mode(precision, known)}: {arithmetic(precision.compute, device).note}"
            else:
                note = on_device(precision, known)
            yield f"{device} {precision.name}", note
    if len(found) == 1:
        yield "cuda", "no GPU: torch sees none"


def packages() -> Iterator[Line]:
    """The extras, and what is missing of them."""
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        yield extra, f"missing: pip install 'ansatz-ai[{extra}]'" if missing else "installed"


def places() -> Iterator[Line]:
    """The cache, and the port of the server."""
    folder = home().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    able = "writable" if os.access(existing, os.W_OK) else "NOT writable: set ANSATZ_HOME"
    yield "cache", f"{folder} ({able}, {free:.0f} GB free)"
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", PORT)) == 0
    yield f"port {PORT}", "taken: serve with port=..." if taken else "free"
