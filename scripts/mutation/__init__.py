"""The mutation check: small faults in the contracts, one at a time, each of which some test must notice."""
