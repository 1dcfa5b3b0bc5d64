"""Who owes whom: positions as the chain has them, and the payments that settle a cycle."""
