"""What any program has: frozen structs, logs, environment variables, clocks, single flight."""
