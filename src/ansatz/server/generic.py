"""The dialect of every model: forms read off the request type, answers off the answer type.

An answer is a tree of dataclasses; its arrays, numbers and words leave under dotted names, as
`surface.centers` or `loads.force`, and those of its summary as `summary.NAME`. Asked for
`application/json`, the same leave as nested lists beside the summary.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.core.recipe import Answer
from ansatz.server.dialect import Arrays, Body, Dialect, Form, Json
from ansatz.server.fields import form_fields, read_request


def generic_dialect(name: str, request: type[Any]) -> Dialect:
    """The dialect that a model has without anybody writing one.

    Args:
        name: Of the model; the route is `/v1/models/NAME/infer`.
        request: Its request type.

    Returns:
        The dialect.
    """
    fields = form_fields(request)

    def decode(form: Form) -> Any:
        return read_request(form, request, fields)

    return Dialect(
        name="ansatz",
        routes=(f"/v1/models/{name}/infer",),
        decode=decode,
        encode=encode_answer,
        form=request,
        documentation=(
            f"The fields of {request.__name__}, as multipart/form-data or as a JSON object. "
            "Answers with an npz archive, or with JSON on `Accept: application/json`."
        ),
    )


def encode_answer(answer: Answer, request: object, form: Form) -> Body:
    """All arrays of an answer, as an archive or as JSON."""
    arrays, summary = dict(named_arrays(answer)), answer.summary()
    if "application/json" in form.accept:
        lists = {name: finite_lists(array) for name, array in arrays.items()}
        finite = {key: _finite(value) for key, value in summary.items()}
        return Json({"summary": finite, "arrays": lists})
    return Arrays(arrays | dict(named_arrays(summary, "summary")), "application/x-npz")


def named_arrays(value: object, name: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Walk an answer.

    Args:
        value: A dataclass, a mapping, or a leaf of either.
        name: Dotted path of the value.

    Yields:
        Each array, tensor, number, text, or sequence of these, with its dotted name. What no
        array can hold is left out.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from named_arrays(getattr(value, field.name), _join(name, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from named_arrays(inner, _join(name, str(key)))
    elif isinstance(value, torch.Tensor):
        # NumPy has no bfloat16.
        tensor = value.float() if value.dtype is torch.bfloat16 else value
        yield name, tensor.detach().cpu().numpy()
    elif isinstance(value, np.ndarray | np.generic) or _is_even(value):
        array = np.asarray(value)
        if not array.dtype.hasobject:
            yield name, array


def _is_even(value: object) -> bool:
    """Whether a value is a number, a text, or evenly nested sequences of these."""
    if isinstance(value, float | int | str):
        return True
    if not isinstance(value, Sequence) or not all(_is_even(part) for part in value):
        return False
    return len({np.shape(part) for part in value}) <= 1


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def finite_lists(array: NDArray[Any]) -> object:
    """Nested lists; what is not finite becomes null, since JSON has no word for it."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = array.astype(object)
        array[~np.isfinite(array.astype(float))] = None
    return array.tolist()


def _finite(value: float | int | str) -> float | int | str | None:
    return value if isinstance(value, str) or np.isfinite(value) else None
