"""Let `python -m tightship` do what `tightship` does."""

from tightship.cli import main

if __name__ == "__main__":
    main()
