"""One panel a function: how a query is drawn, named and linked."""
