"""`python -m chargepoint` is the command `chargepoint`."""

from chargepoint.cli import main

if __name__ == "__main__":
    main()
