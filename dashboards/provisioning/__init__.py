"""How boards, rules and policies reach a Grafana: files, or its HTTP API."""
