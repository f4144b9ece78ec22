"""Run the official evaluator as it is, but without its nltk download.

Usage: python run_official.py CHECKOUT [arguments of the official evaluation.py]

The official program asks nltk for the ``punkt`` data, which needs a network; the word tokenizer it
uses after that is called here directly, which gives the same words for one-sentence input.
"""

import os
import runpy
import sys

import nltk
from nltk.tokenize import NLTKWordTokenizer


def main() -> None:
    """Run the official evaluation.py in its own folder."""
    checkout = os.path.abspath(sys.argv[1])
    nltk.word_tokenize = NLTKWordTokenizer().tokenize
    sys.path.insert(0, checkout)
    os.chdir(checkout)
    sys.argv = ["evaluation.py", *sys.argv[2:]]
    runpy.run_path(os.path.join(checkout, "evaluation.py"), run_name="__main__")


if __name__ == "__main__":
    main()
