"""The demo: the whole main job in one run, and the page that tells it to a city official."""
