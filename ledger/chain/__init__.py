"""The chain and how we reach it: JSON-RPC, the embedded engine and its journal, a remote node, contracts, deployment.

Nothing above this package speaks to a node by itself. `engine.Engine` is the one port; `embedded` makes its own blocks,
`remote` lets a network make them.
"""
