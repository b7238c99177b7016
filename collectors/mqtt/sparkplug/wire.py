"""The Sparkplug B payload as a protobuf message: those fields that are read, by their public numbers (3.0, 6.4.1).

The message is described here and built when the module is loaded; other fields are skipped by the library.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "keepclean.sparkplug"
# names are bytes, so that text that is not UTF-8 is a name like any other: one that no point reads
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Payload": (("timestamp", 1, "uint64"), ("metrics", 2, "[Metric]"), ("seq", 3, "uint64")),
    "Metric": (
        ("name", 1, "bytes"),
        ("alias", 2, "uint64"),
        ("timestamp", 3, "uint64"),
        ("datatype", 4, "uint32"),
        ("is_null", 7, "bool"),
        ("properties", 9, "PropertySet"),
        ("int_value", 10, "uint32"),
        ("long_value", 11, "uint64"),
        ("float_value", 12, "float"),
        ("double_value", 13, "double"),
        ("boolean_value", 14, "bool"),
        ("string_value", 15, "bytes"),
    ),
    "PropertySet": (("keys", 1, "[bytes]"), ("values", 2, "[PropertyValue]")),
    "PropertyValue": (("int_value", 3, "uint32"), ("long_value", 4, "uint64")),
}
_VALUE_FROM = 10


def _payload() -> Any:
    """The class of a payload."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="keepclean/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "Metric":
            message.oneof_decl.add(name="value")
        for field, number, kind in fields:
            inner = kind.strip("[]")
            label = kinds.LABEL_REPEATED if inner != kind else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if inner in _MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{inner}"
            else:
                added.type = getattr(kinds, f"TYPE_{inner.upper()}")
            if name == "Metric" and number >= _VALUE_FROM:
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


Payload = _payload()


def parse(payload: bytes) -> Any | None:
    """The message that bytes hold; None when they hold none."""
    try:
        return Payload.FromString(payload)
    except DecodeError:
        return None
