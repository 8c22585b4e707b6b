"""Running: where the engine meets real providers, references, pictures and the disk."""
