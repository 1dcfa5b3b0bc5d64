"""``GET /v1/wallet``: the wallets that are asked for together are read from one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.standard.ids import to_address
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.errors import NotRegistered
from ledger_api.hot.layer import HotRoute, Plain
from ledger_api.http.answers import private_headers
from ledger_api.http.groups import Group
from ledger_api.http.standing import accounts_of, residents_of, withdrawn, withdrawn_among
from ledger_api.services import Services
from ledger_api.views.wallet_json import wallet_json

_JSON = (b"content-type", b"application/json")
_TOGETHER_MAX = 32


class HotWallet(HotRoute):
    """Reads wallets."""

    method, path, has_body, scope = "GET", "/v1/wallet", False, scopes.RESIDENT

    def __init__(self, services: Services) -> None:
        self._services = services
        self._group: Group[Principal, bytes] = Group("wallets", self._read, size_max=_TOGETHER_MAX)

    def understand(self, plain: Plain) -> bool | None:
        """Return True, or None where there is a body, which the framework reads."""
        has_body = b"content-length" in plain.headers or b"transfer-encoding" in plain.headers
        return None if has_body else True

    async def answer(self, plain: Plain, principal: Principal, asked: bool) -> Response:  # noqa: ARG002
        """Return the wallet, or 304 where the client has it. Raises BadToken, NotRegistered."""
        content = await self._group.ask(principal)
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        known = plain.headers.get(b"if-none-match")
        if known is not None:
            tags = {one.strip().removeprefix("W/") for one in known.decode("latin-1").split(",")}
            if tag in tags or "*" in tags:
                return Response(status_code=304, headers=private_headers(tag))
        return Response(content, media_type="application/json", headers=private_headers(tag))

    def close(self) -> None:
        """End the group's thread."""
        self._group.close()

    def _read(self, principals: Sequence[Principal]) -> list[bytes | Exception]:
        with self._services.database.read() as session:
            return self._wallets(session, principals)

    def _wallets(self, session: Session, principals: Sequence[Principal]) -> list[bytes | Exception]:
        services = self._services
        gone = withdrawn_among(session, principals)
        residents = residents_of(session, {one.subject for one in principals})
        accounts = accounts_of(session, set(residents.values()))
        held = services.orders.holdings_of(session, list(accounts.values()))
        now = services.clock.timestamp()
        answers: list[bytes | Exception] = []
        for principal in principals:
            resident = residents.get(principal.subject)
            account = None if resident is None else accounts.get(resident)
            if principal in gone:
                answers.append(withdrawn())
            elif account is None:
                answers.append(NotRegistered())
            else:
                answers.append(wallet_json(to_address(account), held[account], services.names, now))
        return answers
