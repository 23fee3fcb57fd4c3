"""The server's OpenAPI document, made of the pipeline's own columns."""

from engine.runtime.serve.openapi.document import PUBLIC, Limits, openapi

__all__ = ["PUBLIC", "Limits", "openapi"]
