"""The built-in web page: energy manager, audit team, shift supervisor and data health, live on one's own machine."""
