"""The declarative base and the column vocabulary of every table.

Units: ``PointsMinor`` is hundredths of a point, ``Fen`` is RMB 0.01, ``UnixTime`` is whole seconds since 1970 (UTC).
Addresses and hashes are raw bytes in SQL (20 and 32), which halves the indexes; ``ledger.standard`` renders them.

``PointsMinor`` and ``Fen`` are 64-bit: a lot of a holder is at most 2**48 - 1 on chain, and the indexer refuses any sum
at or beyond ``SUM_LIMIT``, so that adding two stored values cannot leave the 64-bit range. ``Wide`` is for uint256.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeEngine

from ledger.standard.ids import AccountBytes, MerchantId, OrderId, ProgrammeId

SUM_LIMIT = 1 << 62

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every mapped class; constraint names are fixed so that both databases migrate alike."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, TypeEngine[Any]]] = {
        ProgrammeId: BigInteger(),
        MerchantId: BigInteger(),
        OrderId: LargeBinary(32),
        AccountBytes: LargeBinary(20),
    }


class WideInteger(TypeDecorator[int]):
    """An integer of up to 78 digits: NUMERIC(78,0), or decimal text in SQLite, whose NUMERIC is a float beyond 64 bits.

    Warning: in SQLite it neither adds nor sorts in SQL. Use it for values that are only stored and shown.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(79))
        return dialect.type_descriptor(Numeric(78, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else int(value)


BIG_SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""Type of an automatically numbered key: SQLite numbers only INTEGER columns."""

Serial = Annotated[int, mapped_column(BIG_SERIAL, primary_key=True, autoincrement=True)]
Big = Annotated[int, mapped_column(BigInteger)]
PointsMinor = Annotated[int, mapped_column(BigInteger)]
Fen = Annotated[int, mapped_column(BigInteger)]
UnixTime = Annotated[int, mapped_column(BigInteger)]
Wide = Annotated[int, mapped_column(WideInteger)]
Hash32 = Annotated[bytes, mapped_column(LargeBinary(32))]
AddressBytes = Annotated[AccountBytes, mapped_column(LargeBinary(20))]
Blob = Annotated[bytes, mapped_column(LargeBinary)]
Word = Annotated[str, mapped_column(String(64))]
