# SPDX-License-Identifier: MIT
"""Broken and hostile tensor files, by name. Every one must be refused with exit code 6."""
import struct


def npy(header, data=b"", version=(1, 0), length=None):
    h = header.encode() if isinstance(header, str) else header
    n = len(h) if length is None else length
    size = struct.pack("<H", n & 0xffff) if version[0] == 1 else struct.pack("<I", n)
    return b"\x93NUMPY" + bytes(version) + size + h + data


def header(descr="'<f4'", order="False", shape="(1, 1, 8, 8)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


IMAGE = bytes(4 * 64)


def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def tensor_proto(dims=(1, 1, 8, 8), data_type=1, raw=IMAGE, extra=b""):
    out = b"".join(b"\x08" + varint(d & (1 << 64) - 1) for d in dims)
    out += b"\x10" + varint(data_type)
    if raw is not None:
        out += b"\x4a" + varint(len(raw)) + raw
    return out + extra


BAD = {
    "empty.npy": b"",
    "one-byte.npy": b"\x93",
    "only-magic.npy": b"\x93NUMPY",
    "no-length.npy": b"\x93NUMPY\x01\x00",
    "version-0.npy": npy(header(), IMAGE, (0, 0)),
    "version-9.npy": npy(header(), IMAGE, (9, 0)),
    "header-past-end.npy": npy(header(), b"", length=65535),
    "header-past-end-v2.npy": npy(header(), IMAGE, (2, 0), length=0xffffffff),
    "no-dictionary.npy": npy("[1, 2, 3]\n", IMAGE),
    "open-dictionary.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8, 8)", IMAGE),
    "open-string.npy": npy("{'descr", IMAGE),
    "after-dictionary.npy": npy(header().strip() + " os.system('x')\n", IMAGE),
    "no-shape.npy": npy("{'descr': '<f4', 'fortran_order': False, }\n", IMAGE),
    "no-order.npy": npy("{'descr': '<f4', 'shape': (1, 1, 8, 8), }\n", IMAGE),
    "unknown-key.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}\n", IMAGE),
    "structured.npy": npy(header("[('a', '<f4')]"), IMAGE),
    "big-endian.npy": npy(header("'>f4'"), IMAGE),
    "bfloat16.npy": npy(header("'<V2'"), bytes(128)),
    "complex.npy": npy(header("'<c8'"), bytes(512)),
    "object.npy": npy(header("'|O'"), IMAGE),
    "long-descr.npy": npy(header("'" + "f" * 500 + "'"), IMAGE),
    "order-maybe.npy": npy(header(order="Maybe"), IMAGE),
    "negative-dim.npy": npy(header(shape="(-1, 1, 8, 8)"), IMAGE),
    "float-dim.npy": npy(header(shape="(1.0, 1, 8, 8)"), IMAGE),
    "shape-not-tuple.npy": npy(header(shape="64"), IMAGE),
    "shape-open.npy": npy(header(shape="(1, 1, 8, 8"), IMAGE),
    "dim-overflow.npy": npy(header(shape="(99999999999999999999999, )"), IMAGE),
    "product-overflow.npy": npy(header(shape="(4294967296, 4294967296, 4294967296)"), IMAGE),
    "product-wraps-to-zero.npy": npy(header(shape="(9223372036854775807, 2, 1, 1)"), b""),
    "product-hidden-by-zero.npy": npy(header(shape="(0, 4294967296, 4294967296, 4294967296)"), b""),
    "huge-and-short.npy": npy(header(shape="(1000000000000, 1, 8, 8)"), IMAGE),
    "too-many-dims.npy": npy(header(shape="(" + "1, " * 40 + ")"), b"\0\0\0\0"),
    "cut-off.npy": npy(header(), IMAGE[:-1]),
    "too-long.npy": npy(header(), IMAGE + b"\0"),
    "wrong-type.npy": npy(header("'<i4'"), IMAGE),
    "wrong-shape.npy": npy(header(shape="(1, 1, 8, 9)"), bytes(4 * 72)),
    "wrong-rank.npy": npy(header(shape="(64,)"), IMAGE),
    "no-slices.npy": npy(header(shape="(0, 1, 8, 8)"), b""),
    "garbage.pb": bytes(range(256)) * 4,
    "no-type.pb": b"\x08\x01\x08\x01\x08\x08\x08\x08",
    "string-type.pb": tensor_proto(data_type=8),
    "unknown-type.pb": tensor_proto(data_type=99),
    "no-data.pb": tensor_proto(raw=None),
    "short-raw.pb": tensor_proto(raw=IMAGE[:-4]),
    "long-raw.pb": tensor_proto(raw=IMAGE + b"\0\0\0\0"),
    "empty-raw.pb": tensor_proto(dims=(0, 1, 8, 8), raw=b""),
    "negative-dim.pb": tensor_proto(dims=(-1, 1, 8, 8)),
    "overflow.pb": tensor_proto(dims=(1 << 40, 1 << 40, 1, 1)),
    "too-many-dims.pb": tensor_proto(dims=(1,) * 40, raw=bytes(4)),
    "external.pb": tensor_proto(raw=None, extra=b"\x6a\x06\x0a\x01k\x12\x01v\x70\x01"),
    "wrong-shape.pb": tensor_proto(dims=(1, 1, 8, 9), raw=bytes(4 * 72)),
    "length-past-end.pb": tensor_proto()[:-10],
}

GOOD = {
    "v1.npy": npy(header(), IMAGE),
    "v2.npy": npy(header(), IMAGE, (2, 0)),
    "v3.npy": npy(header(), IMAGE, (3, 0)),
    "no-comma.npy": npy("{'shape': (1, 1, 8, 8), 'fortran_order': False, 'descr': \"<f4\"}", IMAGE),
    "fortran.npy": npy(header(order="True"), IMAGE),
    "batch.npy": npy(header(shape="(3, 1, 8, 8)"), IMAGE * 3),
    "extra-dim.npy": npy(header(shape="(2, 1, 1, 8, 8)"), IMAGE * 2),
    "raw.pb": tensor_proto(),
    "floats.pb": tensor_proto(raw=None, extra=b"\x22" + varint(256) + IMAGE),
}
