"""`python -m training` is `ssl-train`."""

from training.cli import main

if __name__ == "__main__":
    main()
