"""The order of effects: prevend, purchase, resolution, sweep, operators' actions, circuit breaker."""
