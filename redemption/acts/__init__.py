"""Acts on an order: which may take effect when (one table), what was asked for, and what came of it."""
