"""A service on this machine that answers after latencies drawn beforehand, and what a perfect client would need."""
