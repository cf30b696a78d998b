"""HTTP in and out: routes, identity, problems, pages."""
