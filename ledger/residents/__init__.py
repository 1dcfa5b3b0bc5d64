"""Residents: one verified person, one account; the source ids they link; erasure."""
