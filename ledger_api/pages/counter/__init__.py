"""Pages for: a shop. Its counter (till, refunds) and its books (shifts, takings, statement, offers)."""
