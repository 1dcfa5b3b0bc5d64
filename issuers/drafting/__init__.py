"""A first mapping for a file that nobody has described yet: proposed from what stands in it, for a person to finish."""
