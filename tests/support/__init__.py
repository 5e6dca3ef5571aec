"""What tests share: servers, waiting, and where the real data lies."""
