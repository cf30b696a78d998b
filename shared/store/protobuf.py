"""A document as Firestore's protobuf values, and back. Pure.

The client library converts through proto-plus, with about twenty times the CPU.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.cloud.firestore_v1 import types

Value: Final[Any] = types.Value.pb()  # the message class itself, which protobuf makes at run time, without types

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def fill(values: Any, document: Mapping[str, Any]) -> None:
    """Put a document into a protobuf map of field names to values."""
    for name, item in document.items():
        kind = type(item)
        if kind is str:  # most items
            values[name].string_value = item
        elif kind is dict and item:
            fill(values[name].map_value.fields, item)
        else:
            _fill(values[name], item)


def value_of(item: Any) -> Any:
    """One protobuf value."""
    value = Value()
    _fill(value, item)
    return value


def document_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The document in a protobuf map. Times are plain aware UTC `datetime`s. A value of a type that we never store stays a message."""
    return {name: _item_of(value) for name, value in values.items()}


def _fill(value: Any, item: Any) -> None:
    match item:
        case str():
            value.string_value = item
        case dict():
            value.map_value.SetInParent()  # an empty map is a value too
            fill(value.map_value.fields, item)
        case datetime():
            since = item - _EPOCH
            value.timestamp_value.seconds = since.days * 86_400 + since.seconds
            value.timestamp_value.nanos = since.microseconds * 1000
        case bool():
            value.boolean_value = item
        case int():
            value.integer_value = item
        case bytes():
            value.bytes_value = item
        case list():
            value.array_value.SetInParent()
            for each in item:
                _fill(value.array_value.values.add(), each)
        case None:
            value.null_value = 0
        case float():
            value.double_value = item
        case _ if isinstance(item, Value):
            value.CopyFrom(item)
        case _:
            raise TypeError(f"not storable: {type(item).__name__}")


def _item_of(value: Any) -> Any:
    match value.WhichOneof("value_type"):
        case "string_value":
            return value.string_value
        case "map_value":
            return document_of(value.map_value.fields)
        case "array_value":
            return [_item_of(each) for each in value.array_value.values]
        case "timestamp_value":
            moment = value.timestamp_value
            return _EPOCH + timedelta(seconds=moment.seconds, microseconds=moment.nanos // 1000)
        case "null_value":
            return None
        case "geo_point_value" | "reference_value":
            return value
        case kind:
            return getattr(value, kind)
