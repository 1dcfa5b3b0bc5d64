"""Grants on their way to the chain: evidence, batches, signatures, voids, revocations."""
