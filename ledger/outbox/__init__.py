"""What must reach the chain reaches it, once: persisted first, sent by own nonces, settled by receipt."""
