"""The kinds of receipts: how each is built from what a node gives, and how its proof is followed."""
