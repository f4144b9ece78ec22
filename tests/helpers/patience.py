"""How long tests wait for what has to happen: on a busy machine everything takes its time."""

PATIENCE = 600.0  # seconds; only what hangs takes longer
