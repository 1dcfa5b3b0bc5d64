"""Held records and false declarations: what two people decide."""
