"""Local AWS Lambda event source mappings."""
