"""Planning: a Job becomes a Plan of shots with ids, prices and paths. Nothing is sent and no key is needed."""
