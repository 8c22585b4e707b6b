"""The emulator: a real HTTP server that speaks the providers' protocols and draws stand-in pictures."""
