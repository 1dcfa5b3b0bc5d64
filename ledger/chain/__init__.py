"""The chain and how we reach it: JSON-RPC, transactions, a network's node, and the embedded engine with its journal.

Nothing above this package speaks to a node by itself. `engine.Engine` is the one port; `embedded` makes its own blocks,
`remote` lets a network make them.
"""
