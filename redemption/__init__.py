"""Spending: merchants and their offers, the orders that pay them, the community desk, statements."""
