"""Races at the counter: many hands act on the same orders at once, and every answer is compared with the table."""
