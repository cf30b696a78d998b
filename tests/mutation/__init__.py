"""Mistakes planted at random in the core, one at a time, to find what no test holds: `make mutants N=500 SEED=1`.

`mutants` says which mistakes there are, `lines` which tests run which lines, `trials` plants one mistake in a process of its own and runs
the tests that may notice it. `equivalents.toml` lists reviewed mistakes that change nothing that matters, each with its reason.
"""
