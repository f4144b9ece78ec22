"""Drop-in command line: python evaluation.py --gold G --pred P --db DIR --table T --etype all."""

from test_suite_sql_eval.cli import main_program

if __name__ == "__main__":
    main_program()
