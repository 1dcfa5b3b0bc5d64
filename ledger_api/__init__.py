"""The gateway: HTTP API, authentication, and the one place where everything is wired (``bootstrap``)."""
