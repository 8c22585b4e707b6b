"""Reporting: the ledger, the sheet and the terminal, all drawn from events."""
