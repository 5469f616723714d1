"""`python -m meow` is `meow`."""

from meow.cli import main

if __name__ == "__main__":
    main()
