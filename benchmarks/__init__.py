"""Measuring Overread beside its peers: a generator of series, senders that are never the bottleneck, and the table."""
