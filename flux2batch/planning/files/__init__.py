"""Files: the one door to what lies in the job's folder."""
