"""``python -m test_suite_sql_eval``: the command line."""

from .cli import main_program

if __name__ == "__main__":
    main_program()
