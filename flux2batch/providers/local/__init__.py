"""Pictures drawn on one's own machines, by open weights: a queue, its workers, and the pipeline that they hold."""
