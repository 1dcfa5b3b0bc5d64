"""Random lives of a city: what is done (`move_*`), what should come of it (`model`), what must always hold
(`invariants`, `ledgers`), and the chain on which it is done (`stage`, `wire`).
"""
