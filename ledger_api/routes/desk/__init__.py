"""Routes for: the community desk."""
