"""The `esm` command; one file per subcommand."""
