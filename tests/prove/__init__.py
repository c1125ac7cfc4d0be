"""The long proofs (`make prove`) and the scenarios that the samples in `tests/acceptance` run in small."""
