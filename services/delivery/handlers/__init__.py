"""The gRPC services of delivery."""
