from __future__ import annotations

import pytest
from sqlalchemy import select

from ledger.store.models.api import ApiSubjectRow
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person
from tests.unit.redemption.world import GREEN, Q2026_4, VOLUNTEER


@pytest.fixture
def wang(api: Api) -> Person:
    """A resident with 1,000 volunteer and 300 green points, who has signed in."""
    api.issuers.activity_names.return_value = {}
    api.issuers.grants_of.return_value = []
    person = Person(api)
    person.sign_in("wang", "resident:self", "resident:register")
    answer = person.form("/wallet/register", "/wallet/register", document_number="510107195403071234", name="王秀英")
    assert answer.status_code == 303, answer.text
    with api.services.database.read() as session:
        number = session.scalars(select(ApiSubjectRow.resident_id)).one()
        account = api.services.registry.get(session, number).account
    api.world.give(account, VOLUNTEER, Q2026_4, 100_000)
    api.world.give(account, GREEN, Q2026_4, 30_000)
    return person
