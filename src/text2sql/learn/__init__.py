"""Learning from execution: answers to training questions, judged, and what is learnt from them."""
