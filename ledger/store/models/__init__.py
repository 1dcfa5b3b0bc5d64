"""The tables, one module a domain."""
