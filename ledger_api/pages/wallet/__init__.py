"""The resident's wallet: what there is and why, exchanging, paying with a code, orders, and what is one's own."""
