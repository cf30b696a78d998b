"""All that knows the supplier MobileMart (its switch is called Fulcrum); nothing outside this package does."""
