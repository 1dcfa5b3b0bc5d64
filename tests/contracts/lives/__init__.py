"""Random lives of a city: what is done (`moves`), what should come of it (`model`), what must always hold
(`comparison`, `ledgers`, `facts`), and the chain on which it is done (`setting`, `life`, `wire`).
"""
