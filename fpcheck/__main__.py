"""`python -m fpcheck` is the command line."""

from fpcheck.cli.main import main

if __name__ == "__main__":
    main()
