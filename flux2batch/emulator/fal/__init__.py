"""fal's protocol: a queue that takes anything, runs two at a time and says what was wrong when it has run."""
