"""The web service: a question in plain words in, checked SQL and its rows out."""
