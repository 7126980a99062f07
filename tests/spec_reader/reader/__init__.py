"""A second reader of asofdb's files, written from SPEC.md alone.

It shares no code with the engine. Where the two tell different things of the same bytes, one of
them or SPEC.md is wrong. It is written to be read beside SPEC.md: each module names the sections
that it follows. Speed does not matter here.
"""
