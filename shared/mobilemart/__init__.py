"""The supplier MobileMart, whose switch is called Fulcrum. No other package knows anything about the supplier."""
