"""The sweep: axes and their values, the rules on them, and the orders in which they are walked."""
