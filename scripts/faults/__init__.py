"""What breaks while a city works, and whether anything is lost or done twice for it."""
