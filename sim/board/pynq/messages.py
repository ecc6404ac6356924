# SPDX-License-Identifier: BSD-2-Clause
"""Messages and calls of PYNQ.remote, those that a client of pynq 4.0 uses.

pynq ships what protoc has made of its descriptions, and not these. Here are the same names, numbers and types, as data
from which the messages are built when this is imported; a test compares them with those of an installed pynq. They are
in a pool of descriptors of their own, since pynq registers files of the same names in the common one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Fields = Mapping[str, tuple[int, str]]
"""Name -> (number, type as in a .proto file)."""


@dataclass(frozen=True)
class Call:
    """A call of a service.

    Attributes:
        request, response: messages by name.
        sends, answers: whether there may be many requests, or responses.
    """

    request: str
    response: str
    sends: bool = False
    answers: bool = False


@dataclass(frozen=True)
class Service:
    """A service: its name with its package, its messages, its calls.

    What pynq marks as `optional` is not marked here: the client does not ask whether a field was there.
    """

    name: str
    messages: Mapping[str, Fields]
    calls: Mapping[str, Call]


MMIO = Service(
    "mmio.Mmio",
    {
        "GetMmioRequest": {"base_addr": (1, "uint64"), "length": (2, "uint64")},
        "GetMmioResponse": {"status": (1, "bool"), "msg": (2, "string"), "mmio_id": (3, "string")},
        "ReadRequest": {
            "mmio_id": (1, "string"),
            "length": (2, "uint64"),
            "offset": (3, "uint64"),
            "word_order": (4, "string"),
        },
        "ReadResponse": {"status": (1, "bool"), "msg": (2, "string"), "data": (3, "uint32")},
        "WriteRequest": {"mmio_id": (1, "string"), "offset": (2, "uint64"), "data": (3, "bytes")},
        "WriteResponse": {"status": (1, "bool"), "msg": (2, "string")},
    },
    {
        "get_mmio": Call("GetMmioRequest", "GetMmioResponse"),
        "read": Call("ReadRequest", "ReadResponse"),
        "write": Call("WriteRequest", "WriteResponse"),
    },
)

BUFFER = Service(
    "buffer.RemoteBuffer",
    {
        "AllocateRequest": {"size": (1, "int32"), "dtype": (2, "string"), "cacheable": (3, "bool")},
        "AllocateResponse": {"msg": (2, "string"), "buffer_id": (3, "string")},
        "BufferWriteRequest": {
            "buffer_id": (1, "string"),
            "data": (2, "bytes"),
            "start": (3, "int32"),
            "end": (4, "int32"),
        },
        "BufferWriteResponse": {"msg": (2, "string")},
        "BufferReadRequest": {"buffer_id": (1, "string"), "start": (2, "int32"), "end": (3, "int32")},
        "BufferReadResponse": {"msg": (2, "string"), "data": (3, "bytes")},
        "FreeBufferRequest": {"buffer_id": (1, "string")},
        "FreeBufferResponse": {"msg": (2, "string")},
        "FlushRequest": {"buffer_id": (1, "string")},
        "FlushResponse": {"msg": (2, "string")},
        "InvalidateRequest": {"buffer_id": (1, "string")},
        "InvalidateResponse": {"msg": (2, "string")},
        "AddressRequest": {"buffer_id": (1, "string")},
        "AddressResponse": {"msg": (2, "string"), "address": (3, "uint64")},
        "CacheableRequest": {"buffer_id": (1, "string")},
        "CacheableResponse": {"msg": (2, "string"), "cacheable": (3, "bool")},
    },
    {
        "allocate": Call("AllocateRequest", "AllocateResponse"),
        "write": Call("BufferWriteRequest", "BufferWriteResponse", sends=True),
        "read": Call("BufferReadRequest", "BufferReadResponse", answers=True),
        "freebuffer": Call("FreeBufferRequest", "FreeBufferResponse"),
        "flush": Call("FlushRequest", "FlushResponse"),
        "invalidate": Call("InvalidateRequest", "InvalidateResponse"),
        "physical_address": Call("AddressRequest", "AddressResponse"),
        "virtual_address": Call("AddressRequest", "AddressResponse"),
        "cacheable": Call("CacheableRequest", "CacheableResponse"),
    },
)

DEVICE = Service(
    "remote_device.RemoteDevice",
    {
        "ReadFileRequest": {"file_path": (1, "string")},
        "ReadFileResponse": {"data": (1, "bytes")},
        "WriteFileRequest": {"file_path": (1, "string"), "data": (2, "bytes")},
        "WriteFileResponse": {},
        "ExistsFileRequest": {"file_path": (1, "string")},
        "ExistsFileResponse": {"exists": (1, "bool")},
        "SetBitstreamAttrsRequest": {"binfile_name": (1, "string"), "partial": (2, "bool")},
        "SetBitstreamAttrsResponse": {"status": (1, "bool")},
    },
    {
        "readfile": Call("ReadFileRequest", "ReadFileResponse", answers=True),
        "writefile": Call("WriteFileRequest", "WriteFileResponse", sends=True),
        "existsfile": Call("ExistsFileRequest", "ExistsFileResponse"),
        "set_bitstream_attrs": Call("SetBitstreamAttrsRequest", "SetBitstreamAttrsResponse"),
    },
)

SERVICES = (MMIO, BUFFER, DEVICE)

_HANDLERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _built(service: Service) -> dict[str, Any]:
    """Classes of the messages of a service, by name."""
    package = service.name.rpartition(".")[0]
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in service.messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            message.field.add(
                name=field,
                number=number,
                type=descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}"),
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in service.messages
    }


MESSAGES: dict[str, Any] = {name: built for service in SERVICES for name, built in _built(service).items()}
"""Name -> class; no two services have a message of the same name."""


def handlers(service: Service, implementation: object) -> grpc.GenericRpcHandler:
    """What a server needs to answer the calls of a service by the methods of the same names."""
    methods = {
        name: _HANDLERS[call.sends, call.answers](
            getattr(implementation, name),
            request_deserializer=MESSAGES[call.request].FromString,
            response_serializer=MESSAGES[call.response].SerializeToString,
        )
        for name, call in service.calls.items()
    }
    return grpc.method_handlers_generic_handler(service.name, methods)
