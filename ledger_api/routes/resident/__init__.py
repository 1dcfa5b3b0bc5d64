"""Routes for: a resident."""
