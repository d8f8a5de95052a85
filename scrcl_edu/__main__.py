"""`python -m scrcl_edu`, which torchrun starts as well."""

from scrcl_edu.cli import main

if __name__ == "__main__":
    main(prog_name="scrcl-edu")
