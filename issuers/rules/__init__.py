"""What a deed is worth, and whether it counts: rulebooks, rating, screens, decisions. Pure."""
