"""Webhooks: the addresses at which services call, and the small server that hears them."""
