"""Founding a city on a chain: what it decides, its contracts' code, the deployment, and the file that describes it."""
