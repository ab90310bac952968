"""From rows of a file to what a trainer takes: prompts, demonstrations, preference pairs."""
