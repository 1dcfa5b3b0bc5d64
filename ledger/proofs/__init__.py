"""Receipts that prove themselves: from an event to the validators' seals, checked without a network.

`rlp`, `trie` and `headers` are the formats, `seals` is who vouches for a header, `receipt` puts them together.
"""
