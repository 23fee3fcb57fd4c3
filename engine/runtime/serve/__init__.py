"""The server: one pipeline's answers over HTTP and gRPC."""
