"""Routes for: everybody."""
