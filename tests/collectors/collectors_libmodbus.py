"""A Modbus server made with libmodbus (Debian's libmodbus5, by ctypes), as a program of its own.

`collectors_libmodbus.py tcp PORT` or `… rtu PATH`; prints a line when it listens. Holding register r holds 3 r + 1,
input register r holds 65535 - r; coil b is on when b % 3 is 0, discrete input b when b % 5 is 0.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

COUNT = 300


class Mapping(ctypes.Structure):
    """modbus_mapping_t of libmodbus 3.1."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("nb_bits", "start_bits", "nb_input_bits", "start_input_bits")),
        *((name, ctypes.c_int) for name in ("nb_input_registers", "start_input_registers")),
        *((name, ctypes.c_int) for name in ("nb_registers", "start_registers")),
        *((name, ctypes.POINTER(ctypes.c_uint8)) for name in ("tab_bits", "tab_input_bits")),
        *((name, ctypes.POINTER(ctypes.c_uint16)) for name in ("tab_input_registers", "tab_registers")),
    )


def library() -> str | None:
    """The library's file name, None when it is not installed."""
    return ctypes.util.find_library("modbus")


def main() -> None:
    """Serves one connection after the other, until killed."""
    way, where = sys.argv[1:]
    lib = ctypes.CDLL(library())
    lib.modbus_new_tcp.restype = lib.modbus_new_rtu.restype = ctypes.c_void_p
    lib.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    mapping = lib.modbus_mapping_new(COUNT, COUNT, COUNT, COUNT)
    for place in range(COUNT):
        mapping.contents.tab_registers[place] = 3 * place + 1
        mapping.contents.tab_input_registers[place] = 65535 - place
        mapping.contents.tab_bits[place] = place % 3 == 0
        mapping.contents.tab_input_bits[place] = place % 5 == 0
    query = (ctypes.c_uint8 * 260)()
    if way == "tcp":
        context = ctypes.c_void_p(lib.modbus_new_tcp(b"127.0.0.1", int(where)))
        listening = ctypes.c_int(lib.modbus_tcp_listen(context, 1))
        assert listening.value >= 0
    else:
        context = ctypes.c_void_p(lib.modbus_new_rtu(where.encode(), 19200, ctypes.c_char(b"N"), 8, 1))
        assert lib.modbus_set_slave(context, 1) == 0
        assert lib.modbus_connect(context) == 0
    sys.stdout.write("listens\n")
    sys.stdout.flush()
    while True:
        if way == "tcp":
            lib.modbus_tcp_accept(context, ctypes.byref(listening))
        while (length := lib.modbus_receive(context, query)) >= 0:
            if length:  # 0: for another id
                lib.modbus_reply(context, query, length, mapping)


if __name__ == "__main__":
    main()
