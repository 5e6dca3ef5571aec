"""What every process needs: settings, logs, a gRPC server, a graceful end."""
