"""The report and its writers, each a pure function of the report's JSON."""
