"""date, time, datetime2, datetimeoffset, datetime, smalldatetime: days and parts of a day.

[MS-TDS] 2.2.5.5.1.8. On the wire a datetimeoffset is in UTC, followed by its offset in minutes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import TICKS_PER_DAY, ArrowArray, SqlType
from sqlserver_sandbox.wire.codec.buffers import (
    Bytes,
    Longs,
    Mask,
    WrongForm,
    as_matrix,
    build_fixed,
    expect,
    fixed_values,
    from_low_bytes,
    low_bytes,
    validity_buffer,
)
from sqlserver_sandbox.wire.refusals import invalid_value
from sqlserver_sandbox.wire.type_info import time_width

DAYS_TO_1970 = 719_162  # from 0001-01-01
DAYS_ALL = 3_652_059  # from 0001-01-01 up to and without 10000-01-01
DATETIME_UNITS_PER_DAY = 86_400 * 300
DATETIME_FIRST_DAY, DATETIME_DAYS_ALL = -53_690, 2_958_464  # 1753-01-01 and 10000-01-01, from 1900-01-01
MINUTES_PER_DAY = 1_440
LARGEST_OFFSET = 14 * 60
OFFSET_STRUCT = pa.struct([("ticks", pa.int64()), ("offset", pa.int16())])
NAMES = frozenset({"date", "time", "datetime2", "datetimeoffset", "datetime", "smalldatetime"})


def arrow_form(sql_type: SqlType) -> pa.DataType:
    if sql_type.name == "date":
        return pa.date32()
    return OFFSET_STRUCT if sql_type.name == "datetimeoffset" else pa.int64()


def to_wire(array: ArrowArray, sql_type: SqlType) -> Bytes:
    name = sql_type.name
    if name == "datetimeoffset":
        if not isinstance(array, pa.StructArray):
            raise WrongForm(f"expected {OFFSET_STRUCT}, got {array.type}")
        ticks, offset = (array.flatten()[array.type.get_field_index(field)] for field in ("ticks", "offset"))
        expect(offset, pa.int16())
        return np.hstack((_ticks_to_wire(ticks, sql_type), as_matrix(fixed_values(offset, "<i2"))))
    expect(array, arrow_form(sql_type))
    if name == "date":
        return low_bytes(fixed_values(array, np.int32).astype(np.int64) + DAYS_TO_1970, 3)
    if name == "time":
        of_day = np.where(_known(array), fixed_values(array, np.int64), 0)
        return low_bytes(_scaled(of_day, sql_type), time_width(sql_type.scale))
    if name == "datetime2":
        return _ticks_to_wire(array, sql_type)
    values = fixed_values(array, np.int64)
    if name == "datetime":
        days, units = np.divmod(values, DATETIME_UNITS_PER_DAY)
        return np.hstack((as_matrix(days.astype("<i4")), as_matrix(units.astype("<u4"))))
    days, minutes = np.divmod(values, MINUTES_PER_DAY)
    return np.hstack((as_matrix(days.astype("<u2")), as_matrix(minutes.astype("<u2"))))


def from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> ArrowArray:
    name = sql_type.name
    if name == "date":
        days = _checked(from_low_bytes(raw), 0, DAYS_ALL, valid, sql_type)
        return build_fixed(pa.date32(), (days - DAYS_TO_1970).astype(np.int32), valid)
    if name == "time":
        return build_fixed(pa.int64(), _time_from_wire(raw, valid, sql_type), valid)
    if name == "datetime2":
        return build_fixed(pa.int64(), _ticks_from_wire(raw, valid, sql_type), valid)
    if name == "datetimeoffset":
        ticks = build_fixed(pa.int64(), _ticks_from_wire(raw[:, :-2], valid, sql_type), valid)
        minutes = np.ascontiguousarray(raw[:, -2:]).reshape(-1).view("<i2")
        _checked(minutes.astype(np.int64), -LARGEST_OFFSET, LARGEST_OFFSET + 1, valid, sql_type)
        offset = build_fixed(pa.int16(), minutes, valid)
        return pa.Array.from_buffers(OFFSET_STRUCT, len(raw), [validity_buffer(valid)], children=[ticks, offset])
    if name == "datetime":
        halves = np.ascontiguousarray(raw).reshape(-1).view("<i4").reshape(-1, 2).astype(np.int64)
        days = _checked(halves[:, 0], DATETIME_FIRST_DAY, DATETIME_DAYS_ALL, valid, sql_type)
        units = _checked(halves[:, 1], 0, DATETIME_UNITS_PER_DAY, valid, sql_type)
        return build_fixed(pa.int64(), days * DATETIME_UNITS_PER_DAY + units, valid)
    short = np.ascontiguousarray(raw).reshape(-1).view("<u2").reshape(-1, 2).astype(np.int64)
    minutes = _checked(short[:, 1], 0, MINUTES_PER_DAY, valid, sql_type)
    return build_fixed(pa.int64(), short[:, 0] * MINUTES_PER_DAY + minutes, valid)


def _known(array: ArrowArray) -> Mask:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _ticks_to_wire(ticks: ArrowArray, sql_type: SqlType) -> Bytes:
    expect(ticks, pa.int64())
    values = np.where(_known(ticks), fixed_values(ticks, np.int64), 0)
    days, of_day = np.divmod(values, TICKS_PER_DAY)
    return np.hstack((low_bytes(_scaled(of_day, sql_type), time_width(sql_type.scale)), low_bytes(days, 3)))


def _scaled(ticks: Longs, sql_type: SqlType) -> Longs:
    """In units of the type's last digit. A digit beyond it would be lost here: the engine has to have rounded before."""
    scaled, lost = np.divmod(ticks, 10 ** (7 - sql_type.scale))
    if lost.any():
        raise WrongForm(f"a value has more than the {sql_type.scale} digits of its {sql_type.name}")
    return scaled


def _time_from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> Longs:
    ticks = from_low_bytes(raw) * 10 ** (7 - sql_type.scale)
    return _checked(ticks, 0, TICKS_PER_DAY, valid, sql_type)


def _ticks_from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> Longs:
    days = _checked(from_low_bytes(raw[:, -3:]), 0, DAYS_ALL, valid, sql_type)
    return days * TICKS_PER_DAY + _time_from_wire(raw[:, :-3], valid, sql_type)


def _checked(values: Longs, first: int, after_last: int, valid: Mask | None, sql_type: SqlType) -> Longs:
    """The values, all of which lie in [first, after_last) unless they are null."""
    outside = (values < first) | (values >= after_last)
    if valid is not None:
        outside &= valid
    if outside.any():
        raise invalid_value(sql_type)
    return values
