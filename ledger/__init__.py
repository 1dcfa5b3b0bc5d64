"""The core of Tongdui: the points standard, the chain, and the desk that serves it. No HTTP server in here."""
