"""The routes that are asked most, without the framework's detours: a wallet's read and an order's placing."""
