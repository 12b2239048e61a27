"""The words of the project: models, their Arrow schemas, and the errors. Imports nothing of ours."""

from schemas.annotation import Annotation, Preferred, Seen, Verdict
from schemas.arrow import arrow_schema, dropped_schema
from schemas.base import Strict
from schemas.errors import (
    AnnotationError,
    ConfigError,
    DataError,
    GateError,
    ServiceError,
    SnapshotError,
    SourceError,
    nearest,
)
from schemas.example import (
    SPLITS,
    Annotated,
    Deduped,
    Drop,
    Example,
    FieldValue,
    Formatted,
    Ingested,
    Message,
    Quarantined,
    Role,
    Split,
    Status,
)
from schemas.manifest import InputFile, Manifest, PartFile, PartRecord, RunRecord
from schemas.template import AskedScreen, Review, Screen, Template, TemplateField, WorkedExample

__all__ = [
    "SPLITS",
    "Annotated", "Annotation", "AnnotationError", "AskedScreen", "ConfigError", "DataError", "Deduped", "Drop",
    "Example", "FieldValue", "Formatted", "GateError", "Ingested", "InputFile", "Manifest", "Message", "PartFile",
    "PartRecord", "Preferred", "Quarantined", "Review", "Role", "RunRecord", "Screen", "Seen", "ServiceError",
    "SnapshotError",
    "SourceError", "Split", "Status", "Strict", "Template", "TemplateField", "Verdict", "WorkedExample",
    "arrow_schema", "dropped_schema", "nearest",
]  # fmt: skip
