"""A shop's till: shifts, and what was taken by day."""
