"""What Umbel knows about a cluster, as frozen records and pure functions. No I/O, clock or logging."""
