"""Arrow schemas, derived from the models: the one place where columns get their types."""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from schemas.example import Drop

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def arrow_type(annotation: Any) -> pa.DataType:  # noqa: ANN401 - a type annotation can be any object
    """Return the Arrow type that holds values of a Python annotation.

    Raises:
        TypeError: The annotation has no Arrow form here; give the model a simpler field.
    """
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return pa.string()
    if origin in (Union, UnionType):
        (inner,) = [argument for argument in arguments if argument is not NoneType]
        return arrow_type(inner)
    if origin is list:
        return pa.list_(arrow_type(arguments[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # Struct children stay nullable: Arrow kernels return nullable children, and casts between the two fail.
        return pa.struct([pa.field(field.name, field.type) for field in arrow_schema(annotation)])
    raise TypeError(f"no Arrow type for {annotation!r}")


def arrow_schema(model: type[BaseModel]) -> pa.Schema:
    """Return the schema of a table of `model`; fields that may be None are nullable, others are not."""
    return pa.schema(
        [
            pa.field(name, arrow_type(field.annotation), nullable=NoneType in get_args(field.annotation))
            for name, field in model.model_fields.items()
        ]
    )


def dropped_schema(model: type[BaseModel]) -> pa.Schema:
    """Return the schema of rows of `model` that were dropped: the row, then why."""
    return pa.schema([*arrow_schema(model), *arrow_schema(Drop)])
