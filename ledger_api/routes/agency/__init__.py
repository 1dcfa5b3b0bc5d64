"""Routes for: an issuing agency and its source systems."""
