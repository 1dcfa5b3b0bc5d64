"""Signed pushes of source systems: Standard Webhooks signatures, and each system's secrets."""
