"""Code that any program could use: frozen structs, logs, environment variables, clocks, single flight."""
