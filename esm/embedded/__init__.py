"""What stands in for AWS when no endpoint is given."""
