"""Puts the pages into the application."""

from __future__ import annotations

from fastapi import FastAPI

from ledger_api.pages.checker import check
from ledger_api.pages.counter import acts, books, offline, shift, till
from ledger_api.pages.desk import queue, serve, visit
from ledger_api.pages.public import book, first
from ledger_api.pages.shell import account, routes, sign_in
from ledger_api.pages.shell.rendering import Shell
from ledger_api.pages.wallet import exchanging, home, mine, orders, register, shop
from ledger_api.pages.wallet import offline as wallet_offline
from ledger_api.ports import PageSettings

ROUTERS = (
    routes.router,
    routes.reports,
    sign_in.router,
    account.router,
    first.router,
    book.router,
    check.router,
    offline.router,  # before the shops, whose numbers its names would be taken for
    till.router,
    acts.router,
    shift.router,
    books.router,
    books.codes,
    visit.router,
    serve.router,
    queue.router,
    home.router,
    register.router,
    exchanging.router,
    shop.router,
    orders.router,
    mine.router,
    wallet_offline.router,
)


def add_pages(app: FastAPI, settings: PageSettings) -> None:
    """Add the pages' routes, and what they are made with."""
    app.state.shell = Shell.load(settings)
    for router in ROUTERS:
        app.include_router(router)
