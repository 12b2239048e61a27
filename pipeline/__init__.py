"""From raw sources to a leak-free split: stages, the snapshot store and the command line."""
