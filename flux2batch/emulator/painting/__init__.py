"""How a stand-in picture is made: its style, its colours, its scene, and what is laid over it."""
