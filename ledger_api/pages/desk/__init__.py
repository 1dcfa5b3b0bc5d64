"""Pages for: a clerk of a community desk, who serves residents without a phone. They work without JavaScript."""
