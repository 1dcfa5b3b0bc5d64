"""A city on a network of real validators, and what is done to both: `make test-network`."""
