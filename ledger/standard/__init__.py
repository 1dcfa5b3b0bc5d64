"""The points standard as pure functions: ids, quarters, value, typed data, packed encodings, evidence, signatures.

Nothing in here reads a clock, a file or a network, so another city (or an auditor) can lift this package alone and
compute the same digests, roots and roundings as the contracts. `tests/vectors` holds the shared examples.
"""
