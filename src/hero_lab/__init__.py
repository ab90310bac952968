"""The lab: what shows how rules behave, built on hero_rl, which knows nothing of it."""
