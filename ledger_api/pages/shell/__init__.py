"""What all pages share: words in both languages, preferences, rendering, files, policy, and who may ask."""
