"""Results: the table, the chart and the README's block, all made from run records."""
