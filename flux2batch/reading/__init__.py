"""Reading: the text of a job file becomes a typed Job, or a list of problems."""
