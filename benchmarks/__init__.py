"""One file per claim of the README, each comparing Umbel with Flower 2.2.0 in the same run on the same machine."""
