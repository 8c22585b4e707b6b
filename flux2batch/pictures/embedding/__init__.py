"""Write a description into a file without touching its pixels, read it, and take it out again; one module a format."""
