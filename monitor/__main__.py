"""`python -m monitor` is `keepclean`; its collect process starts without what only the command line needs."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        from monitor.collecting import main
    else:
        from monitor.cli import main
    main()
