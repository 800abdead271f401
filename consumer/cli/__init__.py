"""The `dsr` command line."""
