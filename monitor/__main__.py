"""`python -m monitor` is `keepclean`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
