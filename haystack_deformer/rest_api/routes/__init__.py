"""The routes, a file for each of their groups in the OpenAPI page."""
