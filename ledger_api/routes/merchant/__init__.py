"""Routes for: a merchant."""
