"""Routes for: the operator."""
