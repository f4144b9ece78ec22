"""From a private database to checked training data and a private benchmark."""
