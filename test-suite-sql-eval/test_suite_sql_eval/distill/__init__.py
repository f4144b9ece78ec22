"""Make test suites: small variant databases on which wrong SQL and right SQL differ.

Execution accuracy on one database forgives a wrong query whose rows happen to be right there.  A
test suite is a set of databases of the same schema, chosen so that queries close to the gold query
but of another meaning give other rows (Zhong, Yu and Klein, arXiv 2010.02840).

The steps, a module each: ``catalog`` reads schema and rows, ``golds`` finds what the gold queries
ask for, ``values`` and ``rows`` fill a variant, ``neighbours`` makes queries that are almost the
gold query, ``choose`` keeps the variants that tell most of them apart, ``suite`` writes the files.
"""
