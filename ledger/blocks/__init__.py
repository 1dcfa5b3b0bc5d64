"""Blocks as their headers bind them: what a node says of a block, held against the block's own roots."""
