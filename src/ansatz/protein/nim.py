"""The dialects of NVIDIA's ESM-2 NIM and of OpenAI's embeddings: their clients need another URL.

The NIM takes JSON, `{"sequences": [...], "format": "npz"}`, at most 32 sequences of at most 1,024
residues. One sequence is answered with an npz archive of `embeddings` (1, width), the mean of the
residues, and `representations` (1, residues, width); several with a zip of such archives, whose
names sort in the order of the sequences. Some clients look for `mean` (width,), so that is there
too. HDF5 is not written.

Source: public clients of `health.api.nvidia.com/v1/biology/meta/esm2-650m`, and the OpenAI API
reference (`POST /v1/embeddings`). NVIDIA does not say in public whether `representations` has <cls>
and <eos>; here it has residues only.
"""

import base64
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.answer import Embedded
from ansatz.protein.corpus.packing import SPECIAL
from ansatz.protein.request import Question
from ansatz.server.dialect import Arrays, Body, Bytes, Dialect, Form, Json
from ansatz.server.fields import form_fields, read_request
from ansatz.server.npz import EPOCH, npz_chunks

Float32 = NDArray[np.float32]
NIM_SEQUENCES, NIM_RESIDUES = 32, 1024
OPENAI_INPUTS = 2048
NPZ = "application/x-npz"
# Sent by clients of OpenAI's and NVIDIA's embeddings, and of no meaning to a protein.
IGNORED = ("user", "input_type", "truncate")


@dataclass(frozen=True)
class Esm2Form:
    """The fields of the NIM.

    Attributes:
        sequences: At most 32, of at most 1,024 residues.
        format: Of the answer.
    """

    sequences: str | tuple[str, ...]
    format: Literal["npz", "h5"] = "npz"


@dataclass(frozen=True)
class EmbeddingsForm:
    """The fields of OpenAI's embeddings.

    Attributes:
        input: A sequence, or a list of them.
        model: Its name is given back.
        encoding_format: Of an embedding: numbers, or their bytes (float32, little-endian).
    """

    input: str | tuple[str, ...]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"


# ------------------------------------------------------------------------------------------ NIM
def decode_nim(form: Form) -> Question:
    """Read a question to the NIM.

    Raises:
        ValueError: If a field is missing or out of its limits.
    """
    asked = read_request(form, Esm2Form, form_fields(Esm2Form))
    sequences = listed("sequences", asked.sequences, NIM_SEQUENCES)
    if asked.format == "h5":
        raise ValueError("format: this server writes no HDF5; send format=npz")
    for number, sequence in enumerate(sequences, 1):
        if len(sequence) > NIM_RESIDUES:
            raise ValueError(
                f"sequence {number} of {len(sequences)} has {len(sequence)} residues, and at most "
                f"{NIM_RESIDUES} are taken on this route. The others, /v1/embeddings and "
                "/v1/models/NAME/infer, have no such limit"
            )
    return Question(",".join(sequences), embeddings="residue")


def encode_nim(answer: Embedded, request: Question, form: Form) -> Body:
    """Write an answer as the NIM: one archive, or a zip of several."""
    assert answer.embeddings is not None
    pieces = np.split(answer.embeddings, answer.offsets[1:-1])
    archives = [nim_arrays(states) for states in pieces]
    if len(archives) == 1:
        return Arrays(archives[0], NPZ)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for number, arrays in enumerate(archives):
            name = zipfile.ZipInfo(f"{number:04}.npz", EPOCH)
            archive.writestr(name, b"".join(npz_chunks(arrays)))
    return Bytes(sink.getvalue(), "application/zip")


def nim_arrays(states: Float32) -> dict[str, Float32]:
    """What the NIM says of one sequence.

    Args:
        states: Of its residues, shape (residues, width).
    """
    mean: Float32 = states.mean(0, dtype=np.float64).astype(np.float32)
    return {"embeddings": mean[None], "representations": states[None], "mean": mean}


# --------------------------------------------------------------------------------------- OpenAI
def decode_embeddings(form: Form) -> Question:
    """Read a question to OpenAI's embeddings.

    Raises:
        ValueError: If a field is missing, unknown or out of its limits.
    """
    return Question(",".join(listed("input", _embeddings_form(form).input, OPENAI_INPUTS)))


def encode_embeddings(answer: Embedded, request: Question, form: Form) -> Body:
    """Write an answer as OpenAI: a list of embeddings, and the tokens that they took."""
    asked = _embeddings_form(form)
    assert answer.embeddings is not None
    as_text = asked.encoding_format == "base64"
    written = [_base64(e) if as_text else e.tolist() for e in answer.embeddings]
    tokens = int(answer.offsets[-1]) + SPECIAL * len(answer.ids)
    return Json(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": embedding}
                for index, embedding in enumerate(written)
            ],
            "model": asked.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _embeddings_form(form: Form) -> EmbeddingsForm:
    texts = {name: text for name, text in form.texts.items() if name not in IGNORED}
    return read_request(replace(form, texts=texts), EmbeddingsForm, form_fields(EmbeddingsForm))


def _base64(embedding: Float32) -> str:
    return base64.b64encode(embedding.astype("<f4").tobytes()).decode()


def listed(field: str, sent: str | Sequence[str], most: int) -> list[str]:
    """Sequences of a field, which may be one text.

    Raises:
        ValueError: If there are none or too many, or one holds what separates them.
    """
    sequences = [sent] if isinstance(sent, str) else list(sent)
    if not 1 <= len(sequences) <= most:
        raise ValueError(
            f"{field} holds {len(sequences)} sequences, and 1 to {most} are answered at a time: "
            "send them in several requests"
        )
    for number, sequence in enumerate(sequences, 1):
        if "," in sequence:
            raise ValueError(f"{field}: ',' in sequence {number} is no residue: send a list")
    return sequences


ESM2 = Dialect(
    name="esm2",
    routes=("/v1/biology/meta/esm2-650m", "/biology/meta/esm2-650m"),
    decode=decode_nim,
    encode=encode_nim,
    form=Esm2Form,
    documentation=(
        "Compatible with the ESM-2 NIM: JSON with at most 32 `sequences` of at most 1,024 "
        "residues; answers with an npz archive of embeddings and representations, or a zip of "
        "one for each of several sequences."
    ),
)
EMBEDDINGS = Dialect(
    name="embeddings",
    routes=("/v1/embeddings",),
    decode=decode_embeddings,
    encode=encode_embeddings,
    form=EmbeddingsForm,
    documentation=(
        "Compatible with OpenAI's embeddings: JSON with `input`, a sequence or a list of them; "
        "answers with the mean of the states of each sequence's residues."
    ),
)
