"""The app: participants, researchers and the gallery in one ASGI process, and the command line."""
