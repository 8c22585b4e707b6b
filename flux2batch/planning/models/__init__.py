"""Models: what each one takes, draws and costs, as data and as questions to it."""
