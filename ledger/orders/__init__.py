"""Residents' orders: which lots, which nonce, who signs, and the outcome."""
