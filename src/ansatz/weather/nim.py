"""The dialect of NVIDIA's CorrDiff NIM, so that its clients need another URL only.

A form with the file `input_array` (npy, float32, (1, 1, inputs, h, w), rows from south to north)
and the texts `samples`, `steps` and `seed` is answered with an uncompressed tar: `000_000.npy`,
`001_000.npy` and so on, one of (1, 1, outputs, H, W) per member, which leaves as soon as the member
is finished. Channels are those of the model that is served, in its order and units.

The NIM's model knows its region by heart; one with static fields is told them by `static_array`.

Source: public clients of `POST /v1/infer` with `accept: application/x-tar`.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray

from ansatz.server.dialect import Bytes, Dialect, Form, Stream
from ansatz.server.fields import form_fields, read_request
from ansatz.weather.answer import Ensemble
from ansatz.weather.inputs import Fields
from ansatz.weather.request import Question

Float32 = NDArray[np.float32]
TAR = "application/x-tar"
BLOCK = tarfile.BLOCKSIZE
AT_ONCE, CELLS = 8, 4096  # members of a part at most, and the coarse cells of all of them


@dataclass(frozen=True)
class CorrDiffForm:
    """The fields of the form.

    Attributes:
        input_array: The coarse fields.
        samples: Members of the ensemble.
        steps: Of the sampler.
        seed: Of the noise.
        static_array: Static fields, shape (statics, H, W); not a field of the NIM, as those below.
        lead_hours: Of the forecast.
        tile: Fine cells along the side of a tile; 0 for the whole domain.
    """

    input_array: np.ndarray
    samples: Annotated[int, Ge(1), Le(10_000)] = 1
    steps: Annotated[int, Ge(2), Le(1000)] = 9
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    static_array: np.ndarray | None = None
    lead_hours: float = 0.0
    tile: Annotated[int, Ge(0)] = 0


def decode(form: Form) -> Question:
    """Read a form of the NIM.

    Raises:
        ValueError: If a field is missing, misspelled, out of range, or no array of maps.
    """
    asked = read_request(form, CorrDiffForm, form_fields(CorrDiffForm))
    coarse = maps("input_array", asked.input_array)
    static = np.zeros((0, 0, 0), np.float32)
    if asked.static_array is not None:
        static = maps("static_array", asked.static_array)
    fields = Fields(coarse, static, lead=asked.lead_hours)
    return Question(
        fields, members=asked.samples, seed=asked.seed, steps=asked.steps, tile=asked.tile
    )


def maps(name: str, array: NDArray[np.generic]) -> Float32:
    """Maps of several channels, from an array that may have more axes of length one before.

    Raises:
        ValueError: If it has others, or holds something else than finite numbers.
    """
    if array.ndim < 3 or set(array.shape[:-3]) - {1} or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be numbers of shape (1, 1, channels, rows, columns), got {array.dtype} "
            f"of shape {array.shape}"
        )
    found = array.reshape(array.shape[-3:]).astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds numbers that are not finite: fill them in")
    return found


def parts(question: Question) -> Iterator[Question]:
    """Questions about a few members each: one where maps are large, so that it leaves at once.

    The mean is evaluated for each part again: one evaluation beside those of the sampler.
    """
    assert isinstance(question.input, Fields)
    together = max(1, min(AT_ONCE, CELLS // question.input.coarse[0].size))
    for first in range(0, question.members, together):
        count = min(together, question.members - first)
        yield replace(question, members=count, first=question.first + first)


def encode(answer: Ensemble, request: Question, form: Form) -> Bytes:
    """The members of a part as entries of a tar archive."""
    entries = (
        tar_entry(f"{number:03}_000.npy", npy(member[None, None]))
        for number, member in enumerate(answer.members, request.first)
    )
    return Bytes(b"".join(entries), TAR)


def npy(array: Float32) -> bytes:
    """An array as an npy file."""
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    return sink.getvalue()


def tar_entry(name: str, data: bytes) -> bytes:
    """A file as an entry of a tar archive: a header, and the data in whole blocks."""
    about = tarfile.TarInfo(name)
    about.size = len(data)
    return about.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


CORRDIFF = Dialect(
    name="corrdiff",
    routes=("/v1/infer",),
    decode=decode,
    encode=encode,
    form=CorrDiffForm,
    documentation=(
        "Compatible with the CorrDiff NIM: an npy of coarse fields in, a tar of one npy per "
        "member out, sent as members are finished."
    ),
    stream=Stream(parts, TAR, closing=bytes(2 * BLOCK)),
)
