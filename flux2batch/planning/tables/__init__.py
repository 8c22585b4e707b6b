"""Tables: rows under `data:`, from whatever file they come."""
