"""One ASGI process: Streamlit's pages, the plain routes beside them, security headers."""
