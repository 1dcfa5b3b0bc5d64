"""Residents' orders: which lots, which nonce, who signs, and what became of them."""
