"""What `ansatz serve` takes beside the options of the recipe."""

from dataclasses import dataclass, field
from pathlib import Path

from ansatz.server.settings import Settings


@dataclass(frozen=True)
class ServeOptions:
    """Options of `serve`.

    Attributes:
        checkpoint: Folder of a training run; the one that ships with the recipe if not given.
        server: Address and limits.
    """

    checkpoint: Path | None = None
    server: Settings = field(default_factory=Settings)
