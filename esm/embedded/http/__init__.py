"""The embedded AWS as a server: what comes in over HTTP, and who answers it."""
