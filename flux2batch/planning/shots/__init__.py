"""Shots: what becomes of each point of the sweep, in the one fixed order."""
