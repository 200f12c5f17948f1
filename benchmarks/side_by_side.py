"""Libraries side by side: each in a process and an environment of its own, in one thread.

A benchmark that is run this way prints one JSON object a line; what else it prints is passed over.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

Row = dict[str, object]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
HERE = Path(__file__).parent


def rows(command: Sequence[str]) -> Iterator[Row]:
    """The rows that a command prints, as they come.

    Raises:
        RuntimeError: If the command fails.
    """
    environment = os.environ | ONE_THREAD | {"DDE_BACKEND": "pytorch"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}: see above")
